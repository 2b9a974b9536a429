"""A small classifier whose features measure generated pictures where nobody has Inception's weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.data.fixed_size import PictureSet
from restore.degradations import sample as draw
from restore.errors import WeightsError
from restore.models.weights import load_into, read_weights, save_weights

FEATURES = 64


class SmallClassifier(nn.Module):
    """Four strided 3x3 convolutions, a mean over places, 64 features, classes; any size from 16 px on."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        widths = (channels, 16, 32, 64, FEATURES)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )
        self.out = nn.Linear(FEATURES, classes)

    def features(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.relu(conv(x))
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.features(x))


class Extractor:
    """Pictures in [-1, 1] to ``N x 64`` features; ``name`` says what made them."""

    def __init__(self, net: SmallClassifier, accuracy: float, digest: str) -> None:
        self.net = net.eval().requires_grad_(False)
        self.name = (
            f"small classifier, {FEATURES} features, training accuracy {accuracy:.3f}, sha256 {digest[:12]}"
        )

    def __call__(self, x: Tensor) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([self.net.features(part) for part in x.split(500)]).cpu().numpy()


def open_extractor(
    path: Path,
    pictures: PictureSet,
    *,
    seed: int = 0,
    steps: int = 1500,
    batch: int = 64,
    report: Callable[[str], None] = lambda text: None,
) -> Extractor | None:
    """The extractor stored at ``path``, trained on ``pictures`` first if there is none; None without labels.

    Raises:
        WeightsError: a file of another kind.
    """
    if pictures.labels is None:
        return None
    channels, classes = pictures.pixels.shape[1], int(pictures.labels.max()) + 1
    if not path.exists():
        torch.manual_seed(seed)
        net = SmallClassifier(channels, classes)
        accuracy = _train(net, pictures, seed, steps, batch)
        save_weights(
            path,
            net.state_dict(),
            {"architecture": "small-classifier", "accuracy": accuracy},
            dtype=torch.float32,
        )
        report(f"trained the classifier that measures: accuracy {accuracy:.3f}")
    state, header = read_weights(path)
    if header.get("architecture") != "small-classifier":
        raise WeightsError(f"{path} is not the classifier that measures")
    net = SmallClassifier(channels, classes)
    load_into(net, state, where=str(path))
    return Extractor(net, float(header["accuracy"]), str(header["sha256"]))


def _train(net: SmallClassifier, pictures: PictureSet, seed: int, steps: int, batch: int) -> float:
    """Adam with a falling rate; the accuracy over the last tenth of the steps."""
    assert pictures.labels is not None
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    right: list[Tensor] = []
    for step in range(steps):
        g = draw.generator(draw.child_seed(seed, "extractor", step))
        index = torch.randint(0, len(pictures), (batch,), generator=g)
        logits = net(pictures.batch(index))
        loss = F.cross_entropy(logits, pictures.labels[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        right.append((logits.argmax(1) == pictures.labels[index]).float().mean())
    return float(torch.stack(right[-max(1, steps // 10) :]).mean())
