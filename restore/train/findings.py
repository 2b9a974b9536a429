"""Training of a network that says what is wrong with a picture: several targets at once, some of them unknown.

A sample is clean, has one thing wrong with it, or several in their physical order, each with a severity of its own.
The target is the severity per family, NaN where nothing can be said of it (darkness brings noise along).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.data.crops import centre_crop, draw_crops
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.degradations.families import BRINGS, FAMILIES, physical_order
from restore.image import quantise, to_grey
from restore.runtime import autocast
from restore.train.config import SLACK, Config
from restore.train.processes import share_of

Batch = dict[str, Tensor]
# Of the samples that are not clean, the share with two and with three things wrong.
_TWO, _THREE = 0.3, 0.05
# Where the harm is seen: from this severity on a family counts as there, below it is there by degrees.
_THERE = 1.0


def findings_maker(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device, *, part: tuple[int, int] = (0, 1)
) -> Callable[[int], Batch]:
    """``make(step)`` gives ``{"degraded", "severities"}``, a function of (seed, step) alone.

    ``severities`` is ``B x F`` in the order of ``config.conditions``: 0 (not there) to 5, NaN (unknown).
    """
    share = share_of(config.batch, *part)

    def make(step: int) -> Batch:
        size = config.crop + SLACK
        clean = draw_crops(pictures, seed=config.seed, step=step, batch=config.batch, size=size, part=share)
        made, targets = [], []
        for place, x in enumerate(clean.split(1), share.start):
            g = draw.generator(draw.child_seed(config.seed, "findings", step, place))
            y, severities = draw_wrongs(x, config, g)
            top, left = (int(torch.randint(0, SLACK, (1,), generator=g)) for _ in range(2))
            if torch.rand(1, generator=g) < 0.5:  # half of the files were never cropped after coding
                top = left = 0
            made.append(y[..., top : top + config.crop, left : left + config.crop])
            targets.append([severities.get(f, 0.0) for f in config.conditions])
        degraded = torch.cat(made).to(device).contiguous(memory_format=torch.channels_last)
        return {"degraded": degraded, "severities": torch.tensor(targets, device=device)}

    return make


def draw_wrongs(x: Tensor, config: Config, g: torch.Generator) -> tuple[Tensor, dict[str, float]]:
    """One clean crop ``1 x 3 x H x W`` as a file with something, or nothing, wrong; severities by family."""
    grey = bool(torch.rand(1, generator=g) < config.grey_share)
    # Not every clean picture is as contrasty as another; without that, any flat one would look hazy.
    low, high = (float(torch.rand(1, generator=g)) * share for share in (0.08, 0.15))
    x = low + x * (1 - low - high) if torch.rand(1, generator=g) < 0.3 else x
    x = to_grey(x).expand_as(x) if grey else x
    known = [f for f in config.conditions if not (grey and f == "underwater")]
    chosen: list[str] = []
    if torch.rand(1, generator=g) >= config.clean_share:
        lot = float(torch.rand(1, generator=g))
        count = min(3 if lot < _THREE else 2 if lot < _THREE + _TWO else 1, len(known))
        chosen = [known[i] for i in torch.randperm(len(known), generator=g)[:count].tolist()]
    severities: dict[str, float] = {}
    for family in physical_order(chosen):
        specs = FAMILIES[family]
        spec = specs[int(torch.randint(0, len(specs), (1,), generator=g))]
        severities[family] = float(torch.rand(1, generator=g)) * 5.0
        x, _ = degradation(spec)(x, severity=severities[family], generator=g)
    for family in chosen:
        for other in BRINGS.get(family, ()):
            severities.setdefault(other, float("nan"))
    return quantise(to_grey(x).expand_as(x) if grey else x), severities


def findings_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)``: cross entropy of what is there, and how far its severity is off."""

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        out = net(batch["degraded"]).float()
        logits, severities = out.chunk(2, 1)
        target = batch["severities"]
        known = ~target.isnan()
        target = target.nan_to_num()
        there = (target / _THERE).clamp(0, 1)
        named = F.binary_cross_entropy_with_logits(logits, there, reduction="none")
        off = F.smooth_l1_loss(severities, target, reduction="none") * (target > 0)
        return ((named + 0.2 * off) * known).sum() / known.sum()

    return step


def dominant(out: Tensor) -> Tensor:
    """Per sample the index of the family that harms most, F where nothing is: ``B x 2F`` to B."""
    logits, severities = out.float().chunk(2, 1)
    harm = logits.sigmoid() * severities.clamp(0.5, 5)
    best = harm.argmax(1)
    return torch.where(logits.amax(1) > 0, best, torch.full_like(best, logits.shape[1]))


def findings_validation(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device, precision: str
) -> Callable[[nn.Module], dict[str, float]]:
    """``validate(net)``: per family the share of held-out pictures (their middles) named rightly, in percent.

    Every first and last degradation of a family at severity 3 and 4, and the pictures as they are ("clean"); "score" is
    the mean over families and clean.
    """
    shown: dict[str, list[Tensor]] = {"clean": []}
    for i, picture in enumerate(pictures):
        x = centre_crop(picture, config.validation_crop)
        shown["clean"].append(x)
        for family in config.conditions:
            for spec in {FAMILIES[family][0], FAMILIES[family][-1]}:
                for severity in (3, 4):
                    g = draw.generator(draw.child_seed(0, spec, severity, i))
                    y, _ = degradation(spec)(x, severity=severity, generator=g)
                    shown.setdefault(family, []).append(quantise(y))

    def validate(net: nn.Module) -> dict[str, float]:
        scores = {}
        with torch.inference_mode(), autocast(device, precision):
            for number, family in enumerate([*config.conditions, "clean"]):
                right = [int(dominant(net(y.to(device)))) == number for y in shown[family]]
                scores[family] = 100 * sum(right) / len(right)
        return {**scores, "score": sum(scores.values()) / len(scores)}

    return validate
