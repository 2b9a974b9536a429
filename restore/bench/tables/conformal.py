"""Fitting and calibrating intervals: a regression of the error's size, then conformal risk control.

Angelopoulos, Bates, Fisch, Lei, Schuster: "Conformal Risk Control" (2022). The risk of a picture is the share of its
values outside the interval; it falls as the factor grows, is at most 1, and pictures are exchangeable. The factor is
the smallest for which ``(n R(factor) + 1) / (n + 1) <= 1 - level``: the expected risk of the next picture is less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError
from restore.restorers import Restorer
from restore.restorers.interval import COEFFICIENTS, log_scale, restore_with_spread, usual_error

Pair = tuple[Tensor, Tensor]  # clean and degraded, 1 x C x H x W
# Errors below a quarter of an 8-bit step are alike.
_SMALLEST = 0.25 / 255


def fit_coefficients(
    restore: Callable[[Tensor], Tensor], pairs: Iterable[Pair], *, per_picture: int = 3000, seed: int = 0
) -> tuple[float, ...]:
    """``w`` of log |error| = w . f + noise by least squares with a little ridge, on random pixels of every pair."""
    g = torch.Generator().manual_seed(seed)
    gram = torch.zeros(COEFFICIENTS, COEFFICIENTS, dtype=torch.float64)
    moment = torch.zeros(COEFFICIENTS, dtype=torch.float64)
    for clean, degraded in pairs:
        y, spread = restore_with_spread(restore, degraded)
        size = (y - clean).abs().mean(1).clamp(min=_SMALLEST).log().flatten()
        f = log_scale(degraded, y, spread).flatten(2)[0]
        place = torch.randint(0, len(size), (per_picture,), generator=g)
        f, size = f[:, place].double(), size[place].double()
        gram += f @ f.T
        moment += f @ size
    # Weakly tied to zero: with few pictures some products hardly vary.
    ridge = 1e-4 * gram.diagonal().mean() * torch.eye(COEFFICIENTS, dtype=torch.float64)
    return tuple(torch.linalg.solve(gram + ridge, moment).tolist())


def ratios(restorer: Restorer, pair: Pair, coefficients: Sequence[float]) -> Tensor:
    """|error| over the uncalibrated half-width of every value of one picture, sorted."""
    clean, degraded = pair
    y, spread = restore_with_spread(restorer, degraded)
    width = usual_error(degraded, y, spread, tuple(coefficients))
    return ((y - clean).abs() / width).flatten().sort().values


def coverage(sorted_ratios: Tensor, factor: float) -> float:
    """The share of values inside an interval of ``factor`` times the half-width."""
    inside = torch.searchsorted(sorted_ratios, torch.tensor(factor, dtype=sorted_ratios.dtype), right=True)
    return float(inside) / len(sorted_ratios)


def risk_control(pictures: Sequence[Tensor], level: float) -> float:
    """The smallest factor with which the corrected mean risk over the pictures' sorted ratios is at most 1 - level.

    Raises:
        UsageError: too few pictures for the level: with n of them it can be at most n / (n + 1).
    """
    n = len(pictures)
    if not 0 < level <= n / (n + 1):
        raise UsageError(
            f"expected a level of at most {n}/{n + 1} with {n} pictures, got {level:g}",
            hint="calibrate on more pictures",
        )
    allowed = ((n + 1) * (1 - level) - 1) / n

    def risk(factor: float) -> float:
        return float(np.mean([1 - coverage(r, factor) for r in pictures]))

    low, high = 0.0, float(max(r[-1] for r in pictures)) + 1e-6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if risk(middle) <= allowed else (middle, high)
    return high


def thinned(sorted_ratios: Tensor, count: int = 4096) -> Tensor:
    """``count`` order statistics, evenly spread: coverage to 1 part in 4096, and little memory."""
    if len(sorted_ratios) <= count:
        return sorted_ratios
    return sorted_ratios[torch.linspace(0, len(sorted_ratios) - 1, count).long()]
