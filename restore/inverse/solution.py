"""What a solver gives back, and how well it agrees with what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restore.classical.each import per_picture
from restore.degradations.operators import Operator
from restore.errors import UsageError
from restore.inverse.normal import elementary

# Less noise than this is never assumed: files are rounded.
LEAST_SIGMA = 0.5 / 255


@dataclass(frozen=True)
class Solution:
    """A restored batch.

    Args:
        image: ``B x C x H x W``, not clamped.
        data_consistency: |A x - y| / (sigma sqrt(m)) per picture, m values measured. 1: the picture explains what
            was measured to within its noise; above: it is not faithful to it; far below: noise was fitted.
        iterations: done.
        trace: what the solver noted down per iteration, by name.
    """

    image: Tensor
    data_consistency: Tensor
    iterations: int
    trace: dict[str, list[Any]] = field(default_factory=dict)


def data_consistency(x: Tensor, y: Tensor, operator: Operator, sigma: float | Tensor) -> Tensor:
    """|A x - y| / (sigma sqrt(m)), B values (float64).

    Args:
        x: pictures; y: what was measured of them; sigma: its noise, one for all or one each. Where a mask or missing
            frequencies leave nothing, nothing counts as measured.
    """
    seen = measured(operator, y)
    error = ((operator(x.to(y)) - y) * seen).double().square().flatten(1).sum(1)
    count = seen.expand_as(y).flatten(1).sum(1).double().clamp(min=1)
    return (error / count).sqrt() / levels(y, sigma).flatten().double()


def measured(operator: Operator, y: Tensor) -> Tensor:
    """1 where ``y`` holds a measurement and 0 where it cannot, broadcast to ``y``."""
    steps = elementary(operator)
    last = steps[-1] if steps else operator
    if last.name == "masking":
        return (last.parts["keep"].to(y) != 0).to(y)
    if last.name == "fourier":
        return (last.parts["mask"].to(y) != 0).to(y)[..., None]
    return torch.ones((), dtype=y.dtype, device=y.device)


def levels(y: Tensor, sigma: float | Tensor) -> Tensor:
    """sigma per sample as ``B x 1 x 1 x 1``, at least half a step of 8 bits.

    Raises:
        UsageError: another number of them than of samples, negative, or not finite.
    """
    values = [max(s, LEAST_SIGMA) for s in per_picture(y, sigma, name="sigma")]
    return torch.tensor(values, dtype=y.dtype, device=y.device).view(-1, 1, 1, 1)


def check_measurement(y: Tensor, operator: Operator) -> None:
    """Refuses what the operator cannot have made.

    Raises:
        UsageError: another shape, or values that are not finite.
    """
    if tuple(y.shape[1:]) != operator.output_shape:
        raise UsageError(
            f"expected measurements of shape {operator.output_shape} (of {operator.name}), got {tuple(y.shape[1:])}"
        )
    if not bool(torch.isfinite(y).all()):
        raise UsageError("expected finite measurements, got NaN or infinity")
