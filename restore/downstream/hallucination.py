"""Does restoring make things up? Confident harm, phantoms on pictures of nothing, contradictions of the measurement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.downstream.outcomes import Outcomes

CONFIDENT = 0.9
Function = Callable[[Tensor], Tensor]


def confident_errors(test: Outcomes, j: int) -> dict[str, Any]:
    """For one cell the share of wrong answers above 0.9 before and after, and of right ones turned into such."""
    p = {arm: np.exp(test.log_p[arm][:, j]) for arm in ("none", "restore")}
    right = {arm: v.argmax(1) == test.labels for arm, v in p.items()}
    sure = {arm: v.max(1) > CONFIDENT for arm, v in p.items()}
    return {
        "confident_wrong": {arm: float((~right[arm] & sure[arm]).mean()) for arm in p},
        "confident_harm": float((right["none"] & ~right["restore"] & sure["restore"]).mean()),
    }


def class_free(*, count: int, side: int, channels: int, seed: int = 0) -> dict[str, Tensor]:
    """Pictures of nothing, ``count`` each: flat ones, white noise, and texture (noise of one scale)."""
    g = draw.generator(draw.child_seed(seed, "phantoms"))
    shape = (count, channels, side, side)
    level = torch.rand((count, 1, 1, 1), generator=g)
    white = torch.randn(shape, generator=g)
    coarse = torch.nn.functional.interpolate(
        torch.randn((count, channels, max(2, side // 4), max(2, side // 4)), generator=g),
        size=(side, side),
        mode="bicubic",
    )
    return {
        "flat": level.expand(shape).clone(),
        "noise": (0.5 + 0.2 * white).clamp(0, 1),
        "texture": (0.5 + 0.2 * coarse).clamp(0, 1),
    }


@torch.no_grad()
def phantoms(
    classifier: Function, restorer: Function, *, side: int, channels: int, count: int = 64, seed: int = 0
) -> list[dict[str, Any]]:
    """Per kind of picture of nothing how often an answer is above 0.9, restored and as it is."""
    rows = []
    for kind, x in class_free(count=count, side=side, channels=channels, seed=seed).items():
        rate = {
            name: float((classifier(y).softmax(1).max(1).values > CONFIDENT).float().mean())
            for name, y in (("rate", restorer(x)), ("rate_without", x))
        }
        rows.append({"input": kind, "n": count, **rate})
    return rows


@torch.no_grad()
def flip_rate(classifier: Function, restorer: Function, x: Tensor, *, draws: int = 5) -> float:
    """Share of pictures whose class is not the same in all ``draws`` of a restorer that draws at random."""
    answers = torch.stack([classifier(restorer(x)).argmax(1) for _ in range(draws)])
    return float((answers != answers[0]).any(0).float().mean())


@torch.no_grad()
def inconsistency(restorer: Function, operator: Function, y: Tensor, *, sigma: float) -> Tensor:
    """``|A R(y) - y|^2 / (m sigma^2)`` per picture for a known operator A and noise sigma: 1 is the noise itself.

    Much above 1 what was restored contradicts the measurement; much below it the noise was copied.
    """
    error = (operator(restorer(y)) - y).flatten(1)
    return error.square().mean(1) / sigma**2
