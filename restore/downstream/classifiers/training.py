"""Trains a small classifier on labelled pictures, the same on every run.

``python -m restore.downstream.classifiers.training --data digits --out digits.safetensors`` makes the weights that
are shipped; ``--data fashion-mnist:part=train --test-data fashion-mnist --width 32 --epochs 8`` those for clothes.
``--data cifar10/train --test-data cifar10/test --width 48 --epochs 12 --flip`` is the recipe for CIFAR-10 in folders
of classes. ``--against all`` trains on degraded pictures: the rival of restoring (``restore judge --adapted``).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.downstream.classifiers.robust import augmix_loss, degrading
from restore.downstream.classifiers.small import SmallNet
from restore.downstream.labelled import Labelled, split
from restore.downstream.labelled.load import load_labelled
from restore.errors import RestoreError
from restore.models.weights import save_weights
from restore.version import __version__

Augment = Callable[[Tensor, torch.Generator], Tensor]


def shift(x: Tensor, g: torch.Generator, *, pixels: int = 2) -> Tensor:
    """Every picture moved by up to ``pixels`` along each axis, edges repeated."""
    padded = F.pad(x, [pixels] * 4, mode="replicate")
    moves = torch.randint(0, 2 * pixels + 1, (len(x), 2), generator=g).tolist()
    h, w = x.shape[-2:]
    return torch.stack([p[:, t : t + h, s : s + w] for p, (t, s) in zip(padded, moves, strict=True)])


def shift_and_flip(x: Tensor, g: torch.Generator, *, pixels: int = 2) -> Tensor:
    """:func:`shift`, and half of the pictures mirrored: for things that have no handedness."""
    flipped = torch.rand(len(x), generator=g) < 0.5
    return shift(torch.where(flipped.view(-1, 1, 1, 1), x.flip(-1), x), g, pixels=pixels)


def fit_classifier(
    net: nn.Module,
    pictures: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch: int = 128,
    lr: float = 4e-3,
    weight_decay: float = 5e-4,
    augment: Augment = shift,
    seed: int = 0,
    loss: Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor] | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> nn.Module:
    """Trains ``net`` in place with AdamW and one cycle of the learning rate; returned in eval mode.

    Args:
        pictures: N normalised pictures ``N x C x H x W``.
        loss: ``loss(net, batch, labels, generator)``; None: cross-entropy.
    """
    g = draw.generator(draw.child_seed(seed, "classifier"))
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=weight_decay)
    steps = epochs * math.ceil(len(labels) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    with torch.random.fork_rng(devices=[]):  # dropout draws from the global generator
        torch.manual_seed(draw.child_seed(seed, "dropout"))
        for epoch in range(epochs):
            net.train()
            total = 0.0
            for chosen in torch.randperm(len(labels), generator=g).split(batch):
                x, y = augment(pictures[chosen], g), labels[chosen]
                value = F.cross_entropy(net(x), y) if loss is None else loss(net, x, y, g)
                optimiser.zero_grad(set_to_none=True)
                value.backward()
                optimiser.step()
                schedule.step()
                total += float(value.detach()) * len(y)
            report(f"epoch {epoch + 1}/{epochs}  loss {total / len(labels):.4f}")
    return net.eval()


def new_small(channels: int, classes: int, *, width: int, seed: int) -> SmallNet:
    """A :class:`SmallNet` with weights drawn from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw.child_seed(seed, "weights"))
        return SmallNet(channels, classes, width)


def gather(data: Labelled, index: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Pictures of one shape ``N x C x H x W`` and their labels."""
    return torch.stack([data.read(i) for i in index]), torch.from_numpy(data.labels[list(index)])


def train_small(
    data: Labelled,
    index: Sequence[int],
    *,
    width: int,
    epochs: int,
    seed: int = 0,
    flip: bool = False,
    against: str = "nothing",
    report: Callable[[str], None] = lambda text: None,
) -> tuple[SmallNet, dict[str, Any]]:
    """A :class:`SmallNet` trained on the pictures ``index`` of ``data``, and the header that goes into its file.

    Args:
        against: "nothing"; "augmix"; or the name of a suite whose pictures it is trained on, at severities 1 to 5.
    """
    x, y = gather(data, index)
    dims = (0, 2, 3)
    mean, std = x.mean(dims), x.std(dims)
    net = new_small(x.shape[1], len(data.classes), width=width, seed=seed)
    normalised = (x - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)
    chosen: Augment = shift_and_flip if flip else shift
    loss = None
    centre, spread = mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)
    if against == "augmix":
        loss = augmix_loss(mean=centre, std=spread)
    elif against != "nothing":
        chosen = degrading([against], (1, 2, 3, 4, 5), mean=centre, std=spread, before=chosen)
    fit_classifier(net, normalised, y, epochs=epochs, seed=seed, augment=chosen, loss=loss, report=report)
    header = {
        "task": "classify",
        "architecture": "small-classifier",
        "config": {"channels": x.shape[1], "classes": len(data.classes), "width": width},
        "classes": list(data.classes),
        "preprocess": {
            "side": x.shape[-1],
            "mean": mean.tolist(),
            "std": std.tolist(),
            "channels": x.shape[1],
        },
        "data": data.name,
        "against": against,
        "seed": seed,
        "epochs": epochs,
        "trained_on": len(y),
        "made_with": f"restore-kit {__version__}, torch {torch.__version__}",
    }
    return net, header


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, measures on held-out pictures, and saves; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m restore.downstream.classifiers.training")
    parser.add_argument("--data", required=True, help="digits, fashion-mnist:FOLDER, or a folder per class")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--test-data", help="pictures to measure on; default: those kept back by the split")
    parser.add_argument("--fit", type=float, default=0, help="pictures to train on; 0: all that are not kept")
    parser.add_argument("--keep", type=int, default=0, help="pictures of --data kept back")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flip", action="store_true", help="mirror half of the pictures")
    parser.add_argument(
        "--against",
        default="nothing",
        help="nothing, augmix, or a suite to train on: common, all, gaussian_noise",
    )
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    try:
        data = load_labelled(given.data)
        parts = split(data, {"fit": int(given.fit), "test": given.keep or 1}, seed=given.seed)
        kept = set(parts.test) if given.keep else set()
        index = parts.fit if given.fit else [i for i in range(len(data)) if i not in kept]
        net, header = train_small(
            data, index, width=given.width, epochs=given.epochs, seed=given.seed, flip=given.flip,
            against=given.against, report=lambda text: print(text, file=sys.stderr),
        )  # fmt: skip
        # Which pictures were seen, so that a judgement on the same data never tests on them.
        header["split"] = {"fit": int(given.fit), "test": given.keep or 1, "seed": given.seed}
        header["kept"] = len(kept)
        measured = load_labelled(given.test_data) if given.test_data else data
        tested = range(len(measured)) if given.test_data else sorted(kept)
        if tested:
            header["accuracy"] = round(accuracy(net, header, measured, list(tested)), 4)
            header["tested_on"] = f"{len(list(tested))} of {measured.name}"
            print(f"accuracy {header['accuracy']:.4f} on {header['tested_on']}")
        print(f"SHA-256 {save_weights(given.out, net.state_dict(), header)}")
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


@torch.no_grad()
def accuracy(net: nn.Module, header: dict[str, Any], data: Labelled, index: Sequence[int]) -> float:
    """Share of the pictures that ``net`` classifies rightly."""
    mean, std = (torch.tensor(header["preprocess"][k]).view(1, -1, 1, 1) for k in ("mean", "std"))
    right = 0
    for numbers, x in data.batches(index, 256):
        right += int((net((x - mean) / std).argmax(1) == torch.from_numpy(data.labels[numbers])).sum())
    return right / len(index)


if __name__ == "__main__":
    sys.exit(main())
