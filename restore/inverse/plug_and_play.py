"""Plug-and-play half-quadratic splitting: any denoiser that is told sigma as the prior of any operator.

Venkatakrishnan et al. 2013; the schedule and the turns of DPIR (Zhang et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.operators import Operator
from restore.errors import UsageError
from restore.inverse.begin import begin
from restore.inverse.normal import kind_of, normal_equations
from restore.inverse.solution import Solution, check_measurement, data_consistency, levels, measured

# B x C x H x W and B sigmas in units of [0, 1] -> the pictures without that noise.
Denoiser = Callable[[Tensor, Tensor], Tensor]

# DPIR's: where sigma begins, and the weight lambda of the prior.
START = 49 / 255
WEIGHT = 0.23
# How many steps, by the kind of the operator. DPIR takes 8 for blurs and 24 for sampling; 16 serve blurs 0.2 dB better
# and threefold enlargement 0.04, holes and random measurements need more (photographs of BSDS500).
STEPS = {"nothing": 8, "blur": 16, "sampling": 16, "masking": 40, "sensing": 36}


def plug_and_play(
    y: Tensor,
    operator: Operator,
    denoiser: Denoiser,
    *,
    sigma: float | Tensor,
    steps: int | None = None,
    start: float = START,
    weight: float = WEIGHT,
    turns: bool = True,
    fresh: float | None = None,
    seed: int = 0,
    initial: Tensor | None = None,
) -> Solution:
    """argmin over x of |A x - y|^2 / (2 sigma^2) + weight R(x), R being whatever the denoiser removes noise by.

    In turn x = (A'A + a)^-1 (A'y + a z), a = weight (sigma / s)^2, and z = denoiser(x, s), while s falls from
    ``start`` to sigma along a logarithmic scale.

    Args:
        y: measurements ``B x ...`` of ``operator``.
        denoiser: (pictures, B sigmas in units of [0, 1]) -> pictures.
        sigma: standard deviation of the noise in ``y`` in units of [0, 1], one for all or one each.
        steps: how often; None: from ``STEPS`` by the kind of the operator.
        start: the first s in units of [0, 1].
        weight: lambda; larger trusts the denoiser more.
        fresh: how much noise is put on x before it is denoised, as a share of what would make it s in all. Denoisers
            are told the truth then, and holes that nothing was measured of are filled instead of smoothed again and
            again (Zhu et al. 2023, DiffPIR). None: 1 with masks, else 0.
        seed: of that noise.
        turns: shows the denoiser the picture turned and mirrored in another way at every step.
        initial: where to begin; None: the smoothest picture that explains ``y``.

    Returns:
        The last z; ``trace`` holds ``sigma`` (s of the first picture) and ``data_consistency`` of x and z.

    Raises:
        UsageError: measurements of another shape, no step, or a value out of range.
    """
    check_measurement(y, operator)
    count = STEPS[kind_of(operator)] if steps is None else steps
    if count < 1 or not start > 0 or not weight > 0:
        raise UsageError(
            f"expected 1 step or more and start and weight above 0, got {count}, {start:g}, {weight:g}"
        )
    share_fresh = float(kind_of(operator) == "masking") if fresh is None else fresh
    if not 0 <= share_fresh <= 1:
        raise UsageError(f"expected a share of fresh noise from 0 to 1, got {share_fresh:g}")
    noise = levels(y, sigma)
    seen = y * measured(operator, y)
    normal = normal_equations(operator)
    back = operator.transpose(seen)
    z = begin(seen, operator, back) if initial is None else initial.to(back)
    x = z
    trace: dict[str, list[float]] = {"sigma": [], "data_consistency": [], "denoised_consistency": []}
    for i in range(count):
        share = i / (count - 1) if count > 1 else 1.0
        s = start * (noise / start).clamp(max=1) ** share
        alpha = weight * (noise / s).square()
        x = normal.solve(back + alpha * z, alpha, start=z)
        trace["sigma"].append(float(s[0]))
        trace["data_consistency"].append(float(data_consistency(x, seen, operator, noise.flatten())[0]))
        shown = x
        if share_fresh:
            g = draw.generator(draw.child_seed(seed, "plug and play", i))
            field = torch.randn(x.shape[1:], generator=g).to(x)
            shown = x + share_fresh * (s.square() - noise.square()).clamp(min=0).sqrt() * field
        shown = turn(shown, i % 8) if turns else shown
        made = denoiser(shown, s.flatten())
        z = unturn(made, i % 8) if turns else made
    agreement = data_consistency(z, seen, operator, noise.flatten())
    return Solution(z, agreement, count, trace)


def turn(x: Tensor, way: int) -> Tensor:
    """One of the eight ways to turn and mirror a picture; 0: as it is."""
    x = x.flip(-1) if way >= 4 else x
    return torch.rot90(x, way % 4, (-2, -1))


def unturn(x: Tensor, way: int) -> Tensor:
    """The inverse of :func:`turn`."""
    x = torch.rot90(x, -(way % 4), (-2, -1))
    return x.flip(-1) if way >= 4 else x
