"""Total variation for any operator, by the primal-dual method: the classical rival of every learned prior."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations.operators import Operator
from restore.errors import UsageError
from restore.inverse.begin import begin
from restore.inverse.gradient import divergence, gradient
from restore.inverse.normal import kind_of, normal_equations
from restore.inverse.solution import Solution, check_measurement, data_consistency, levels, measured

# The weight in units of sigma that serves photographs at a noise of 2.55 of 255, by what was done to them.
WEIGHTS = {"blur": 0.12, "sampling": 0.2, "masking": 0.3, "sensing": 0.2, "nothing": 1.0}
# 1 / tau: how much one step trusts the last picture. |gradient|^2 <= 8.
_ALPHA = 0.1
_NORM = 8.0


def total_variation(
    y: Tensor,
    operator: Operator,
    *,
    sigma: float | Tensor,
    weight: float | None = None,
    iterations: int = 200,
    tolerance: float = 1e-4,
) -> Solution:
    """argmin over x of |A x - y|^2 / 2 + weight sigma TV(x) (Rudin, Osher & Fatemi 1992), channels together.

    TV is the isotropic one of colour pictures: the sum over pixels of the root of all squared differences (Bresson &
    Chan 2008). Solved by Chambolle & Pock's algorithm 1 (2011), the data's proximal step as in :mod:`normal`.

    Args:
        y: measurements ``B x ...`` of ``operator``.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each.
        weight: None: from ``WEIGHTS`` by the kind of the operator.
        iterations: at most so many. tolerance: it stops when a step changes the picture by less than this share.

    Raises:
        UsageError: measurements of another shape, no iteration, or a negative weight.
    """
    check_measurement(y, operator)
    w = WEIGHTS[kind_of(operator)] if weight is None else weight
    if iterations < 1 or not w >= 0:
        raise UsageError(
            f"expected 1 iteration or more and a weight of 0 or more, got {iterations} and {w:g}"
        )
    noise = levels(y, sigma)
    seen = y * measured(operator, y)
    normal = normal_equations(operator, tolerance=1e-4, iterations=10)
    back = operator.transpose(seen)
    alpha = torch.full_like(noise, _ALPHA)
    bound = (w * noise)[None]
    x = begin(seen, operator, back)
    ahead = x
    p = torch.zeros((2, *x.shape), dtype=x.dtype, device=x.device)
    trace: dict[str, list[float]] = {"change": []}
    for _ in range(iterations):
        p = p + _ALPHA / _NORM * gradient(ahead)
        size = p.square().sum((0, 2), keepdim=True).sqrt()
        p = p / torch.where(bound > 0, (size / bound.clamp(min=1e-12)).clamp(min=1), torch.inf)
        following = normal.solve(back + alpha * x + divergence(p), alpha, start=x)
        change = float((following - x).norm() / x.norm().clamp(min=1e-12))
        ahead = 2 * following - x
        x = following
        trace["change"].append(change)
        if change < tolerance:
            break
    return Solution(x, data_consistency(x, seen, operator, noise.flatten()), len(trace["change"]), trace)
