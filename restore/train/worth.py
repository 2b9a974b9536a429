"""Fits who says whether a thing that was found is worth filling (:class:`restore.models.worth.Worth`).

``python -m restore.train.worth models/zoo/worth/recipe.toml --data PHOTOS --out runs/worth`` degrades crops as the
recipe says, finds and fills with the shipped networks, keeps in ``--out`` what is told of every thing and what filling
it brought (a stopped run goes on), fits the perceptron and writes ``best.safetensors``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from restore.errors import UsageError
from restore.files import atomic_file
from restore.models.registry import build
from restore.models.weights import save_weights
from restore.models.worth import Worth
from restore.restorers import Restorer, load
from restore.restorers.found import FILLER, SURE, find_things
from restore.train.command import fit_parser, report_scores
from restore.train.config import Config
from restore.train.paired import batch_maker
from restore.train.recipe import load_recipe
from restore.train.record import header
from restore.train.sources import open_photographs

_DEVICE = torch.device("cpu")
_SHARD = 10  # batches per file of kept things
# An error that nobody sees, as a mean square: what filling brings is weighed against the picture's error and this.
_UNSEEN = 1e-5
_EPOCHS, _BATCH = 30, 512
# Things that weigh more than all but this share of them weigh as much as the last of these.
_HEAVIEST = 1e-3


def kept_things(
    config: Config,
    pictures: Sequence[np.ndarray],
    out: Path,
    *,
    name: str,
    steps: int,
    report: Callable[[str], None],
) -> dict[str, Tensor]:
    """What is told of every thing found in ``steps`` batches: "features", "gain" (squared error taken away, summed over
    its pixels and averaged over channels), "picture" (its number) and, per picture, "error" and "pixels"."""
    make = batch_maker(config, pictures, _DEVICE)
    fill = load(FILLER, device="cpu")
    parts: list[dict[str, np.ndarray]] = []
    for shard in range(-(-steps // _SHARD)):
        path = out / f"{name}-{shard:03d}.npz"
        if not path.exists():
            rows: dict[str, list[np.ndarray]] = {
                k: [] for k in ("features", "gain", "picture", "error", "pixels")
            }
            for step in range(shard * _SHARD, (shard + 1) * _SHARD):
                batch = make(step)
                for place, pair in enumerate(zip(batch["degraded"], batch["clean"], strict=True)):
                    for key, value in _measured(fill, *pair).items():
                        rows[key].append(value)
                    rows["picture"].append(np.full(len(rows["gain"][-1]), step * config.batch + place))
            with atomic_file(path) as file:
                np.savez(file, allow_pickle=False, **{k: np.concatenate(v) for k, v in rows.items()})
            report(f"{name}: {min((shard + 1) * _SHARD, steps)} of {steps} batches")
        with np.load(path) as kept:
            parts.append(dict(kept))
    return {k: torch.from_numpy(np.concatenate([p[k] for p in parts])) for k in parts[0]}


def _measured(fill: Restorer, degraded: Tensor, clean: Tensor) -> dict[str, np.ndarray]:
    height, width = degraded.shape[-2:]
    with torch.inference_mode():
        small, filled, things = find_things(
            lambda top, bottom, left, right: degraded[None, :, top:bottom, left:right],
            height,
            width,
            fill=fill,
            sure=SURE,
            device=_DEVICE,
        )
        if small.shape[-2:] != clean.shape[-2:]:
            raise UsageError(
                "crops of this size would be shrunk before they are looked at", hint="a smaller crop"
            )
        before = (degraded - clean).square().mean(0)
        taken = (before - (filled[0] - clean).square().mean(0)).double().numpy()
    gain = np.bincount(things[0].named.ravel(), taken.ravel(), minlength=len(things[0]) + 1)[1:]
    return {
        "features": things[0].features.numpy(),
        "gain": gain,
        "error": np.array([float(before.sum())]),
        "pixels": np.array([float(before.numel())]),
    }


def fit(net: Worth, told: dict[str, Tensor], *, seed: int, report: Callable[[str], None]) -> None:
    """Cross entropy, each thing weighed by what filling it brings or harms, as a share of its picture's error."""
    features, gain = told["features"].float(), told["gain"]
    net.take_quantiles(features)
    ranked = net.ranked(features)
    whole = _spread(told, "error") + _UNSEEN * _spread(told, "pixels")
    weight = (gain.abs() / whole).float()
    weight = weight.clamp(max=float(np.quantile(weight.numpy(), 1 - _HEAVIEST)))
    weight = weight / weight.mean()
    optimizer = torch.optim.AdamW(net.head.parameters(), lr=3e-3, weight_decay=1e-2)
    g = torch.Generator().manual_seed(seed)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _EPOCHS * -(-len(ranked) // _BATCH))
    for epoch in range(_EPOCHS):
        total = 0.0
        for index in torch.randperm(len(ranked), generator=g).split(_BATCH):
            # Without the noise the perceptron learns the pictures by heart.
            x = ranked[index] + 0.1 * torch.randn(len(index), ranked.shape[1], generator=g)
            target = (gain[index] > 0).float()
            loss = F.binary_cross_entropy_with_logits(net.judge(x), target, weight=weight[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(index)
        if (epoch + 1) % 10 == 0:
            report(f"epoch {epoch + 1}/{_EPOCHS}  loss {total / len(ranked):.4f}")
    net.eval().requires_grad_(False)


def _spread(told: dict[str, Tensor], key: str) -> Tensor:
    return told[key][told["picture"].long()]


def _chosen(net: Worth, told: dict[str, Tensor]) -> Tensor:
    """1 where a thing is filled, picture by picture."""
    made = torch.zeros_like(told["gain"])
    for number, pixels in enumerate(told["pixels"].tolist()):
        mine = told["picture"] == number
        made[mine] = net.chosen(told["features"][mine].float(), int(pixels)).double()
    return made


def gains(told: dict[str, Tensor], chosen: Tensor) -> float:
    """What filling the chosen things brings, in dB of PSNR, mean over pictures (errors of 50 dB and less count as
    that)."""
    taken = torch.zeros_like(told["error"]).index_add_(0, told["picture"].long(), told["gain"] * chosen)
    after = told["error"] - taken
    floor = _UNSEEN * told["pixels"]
    return float((10 / math.log(10) * ((told["error"] + floor) / (after + floor)).log()).mean())


def fit_worth(
    config: Config, data: Path, out: Path, *, report: Callable[[str], None] = print
) -> dict[str, float]:
    """Fits and writes ``out/best.safetensors``; returns what filling everything, the chosen things, and those that an
    oracle would choose brings on pictures held out, in dB.

    Raises:
        UsageError: a recipe of another step.
    """
    torch.manual_seed(config.seed)
    net = build(config.architecture, config.arch)
    if config.step != "worth" or not isinstance(net, Worth):
        raise UsageError("expected a recipe whose step and architecture are worth")
    out.mkdir(parents=True, exist_ok=True)
    library = open_photographs(config, data, hold_out=config.hold_out, report=report)
    told = kept_things(config, library.train, out, name="things", steps=config.steps, report=report)
    report(f"{len(told['gain']):,} things on {len(told['error']):,} crops")
    fit(net, told, seed=config.seed, report=report)
    held = kept_things(
        config, library.held_out, out, name="held-out", steps=max(1, config.steps // 12), report=report
    )
    choices = {
        "filled": torch.ones_like(held["gain"]),
        "chosen": _chosen(net, held),
        "oracle": (held["gain"] > 0).double(),
    }
    scores = {name: gains(held, chosen) for name, chosen in choices.items()}
    digest = save_weights(
        out / "best.safetensors", net.state_dict(), header(config, config.steps, scores), dtype=torch.float32
    )
    report(f"{out / 'best.safetensors'}  {digest[:12]}")
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done, 2 wrong use."""
    given = fit_parser("restore.train.worth", __doc__, out="where things and weights are kept").parse_args(
        arguments
    )
    return report_scores(
        lambda: fit_worth(load_recipe(Config, given.recipe, given.set), given.data, given.out)
    )


if __name__ == "__main__":
    sys.exit(main())
