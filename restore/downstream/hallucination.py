"""Does restoring make things up? Confident harm, phantoms on pictures of nothing, contradictions of the measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.downstream.outcomes import Outcomes
from restore.downstream.parts import Arrays

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
    """Share of pictures whose class is not the same in all ``draws`` of a restorer that draws at random.

    One whose second result is its first draws nothing: it is not asked again.
    """
    first, second = restorer(x), restorer(x)
    if torch.equal(first, second):
        return 0.0
    further = (restorer(x) for _ in range(draws - 2))
    answers = torch.stack([classifier(y).argmax(1) for y in (first, second, *further)])
    return float((answers != answers[0]).any(0).float().mean())


def closeness(
    by_arm: Mapping[str, Arrays], *, classifier: int, restorer: str, keep: np.ndarray
) -> dict[str, float | None]:
    """What restoring does to one cell's features and measurements, means over the pictures looked at closely.

    Args:
        by_arm: arrays of :class:`restore.downstream.passes.Passes` per arm.
        keep: which pictures count (the test part).

    Returns:
        ``feature_gain``: how much nearer (cosine) the classifier's features come to those of the clean picture;
        ``contradiction``: the restored picture, degraded again by the same draw, against the measurement, root mean
        square in grey levels. Above a grey level or two something was made up or taken away that the measurement
        saw; what a noisy measurement cannot tell from noise counts too.
    """
    alike = {arm: by_arm[arm][f"alike/{classifier}"][keep] for arm in ("none", restorer)}
    values = {
        "feature_gain": alike[restorer] - alike["none"],
        "contradiction": by_arm[restorer]["contradiction"][keep],
    }
    return {name: float(np.nanmean(v)) if np.isfinite(v).any() else None for name, v in values.items()}


def made_up(block: Mapping[str, Any]) -> str:
    """What a judgement's block found of all this, as a sentence."""
    cells = [row["hallucination"] for row in block["cells"]]
    harm = np.mean([c["confident_harm"] for c in cells])
    kinds = ", ".join(f"{p['input']} {p['rate_without']:.0%} to {p['rate']:.0%}" for p in block["phantom"])
    gains = [c["feature_gain"] for c in cells if c["feature_gain"] is not None]
    parts = [
        f"{harm:.2%} of answers turn from right to wrong with more than .9",
        f"answers above .9 on pictures of nothing: {kinds}",
    ]
    if gains:
        parts.append(f"features {np.mean(gains):+.3f} nearer to the clean picture's (cosine)")
    d = block["draws"]
    parts.append(
        f"the restorer's own chance changes the class of {d['flip_rate']:.0%} of {d['n']} ({d['cell']})"
    )
    return "Made up: " + "; ".join(parts) + "."
