"""More light in dark pictures: gamma, histogram equalisation, LIME; CLAHE has its own file."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.image import to_grey

_BINS = 1024


def gamma(x: Tensor, *, gamma: float | None = None) -> Tensor:
    """x ** gamma; None: the exponent that brings the mean luma to 0.45 (one for each picture).

    Args:
        x: ``B x C x H x W``; values below 0 count as 0.
        gamma: below 1 brightens.

    Raises:
        UsageError: a gamma that is not above 0.
    """
    if gamma is not None:
        if not gamma > 0:
            raise UsageError(f"expected a gamma above 0, got {gamma:g}")
        return x.clamp(min=0) ** gamma
    luma = to_grey(x).clamp(1e-4, 1.0).flatten(1)
    low, high = luma.new_full((len(x), 1), 0.05), luma.new_full((len(x), 1), 5.0)
    for _ in range(20):  # the mean falls as the exponent rises
        middle = (low * high).sqrt()
        bright = (luma**middle).mean(1, keepdim=True) > 0.45
        low, high = torch.where(bright, middle, low), torch.where(bright, high, middle)
    return x.clamp(min=0) ** middle.view(-1, 1, 1, 1)


def equalize(x: Tensor) -> Tensor:
    """Histogram equalisation of the luma; the channels keep their ratios."""
    luma = to_grey(x).clamp(0, 1)
    made = []
    for plane in luma:
        shares = torch.histc(plane.float(), _BINS, 0.0, 1.0).cumsum(0)
        steps = torch.cat([shares.new_zeros(1), shares / shares[-1]])
        place = plane * _BINS
        below = place.floor().clamp(max=_BINS - 1).long()
        made.append(torch.lerp(steps[below], steps[below + 1], (place - below).float()).to(x.dtype))
    return scale_to(x, luma, torch.stack(made))


def lime(x: Tensor, *, gamma: float = 0.8, weight: float = 0.15, iterations: int = 3) -> Tensor:
    """LIME (Guo, Li & Ling, TIP 2017): x / T^gamma, T the brightest channel, smoothed within its own structures.

    T minimises |T - T0|^2 + weight * sum of w |grad T|, w = 1 / |mean of grad T0 around| (their strategy III); the
    absolute value is dealt with by reweighted least squares, each solved by conjugate gradients.

    Args:
        x: ``B x C x H x W`` in [0, 1].
        gamma: of the illumination; 1 takes it out entirely.
        weight: of the smoothness.
        iterations: of the reweighting.
    """
    rough = x.amax(1, keepdim=True).clamp(0, 1)
    t = rough
    for _ in range(iterations):
        wx, wy = (_structure_weight(rough, axis) / (_difference(t, axis).abs() + 1e-3) for axis in (-1, -2))
        t = _solve(rough, weight * wx, weight * wy)
    return x / t.clamp(min=0.02) ** gamma


def scale_to(x: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """The picture with another luma: where the old one is nearly black, grey is added instead."""
    ratio = new / old.clamp(min=1 / 255)
    return x * ratio + (new - old * ratio)


def _difference(x: Tensor, axis: int) -> Tensor:
    """x[n + 1] - x[n], 0 at the end."""
    return torch.diff(x, dim=axis, append=x.narrow(axis, x.shape[axis] - 1, 1))


def _adjoint(y: Tensor, axis: int) -> Tensor:
    """The transpose of :func:`_difference`, for ``y`` that is 0 at the end."""
    return -torch.diff(y, dim=axis, prepend=torch.zeros_like(y.narrow(axis, 0, 1)))


def _structure_weight(x: Tensor, axis: int) -> Tensor:
    from restore.classical.guided import box_mean

    return 0.02 / (box_mean(_difference(x, axis), 2).abs() + 0.02)


def _solve(x: Tensor, wx: Tensor, wy: Tensor, *, steps: int = 40) -> Tensor:
    """(1 + Dx' wx Dx + Dy' wy Dy) t = x by conjugate gradients with the diagonal as preconditioner."""

    def apply(t: Tensor) -> Tensor:
        return t + _adjoint(wx * _difference(t, -1), -1) + _adjoint(wy * _difference(t, -2), -2)

    diagonal = 1 + wx + wy + wx.roll(1, -1) + wy.roll(1, -2)

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((1, 2, 3), keepdim=True)

    t = x.clone()
    r = x - apply(t)
    z = r / diagonal
    p, rz = z, dot(r, z)
    for _ in range(steps):
        ap = apply(p)
        alpha = rz / dot(p, ap).clamp(min=1e-20)
        t, r = t + alpha * p, r - alpha * ap
        z = r / diagonal
        new = dot(r, z)
        p, rz = z + new / rz.clamp(min=1e-20) * p, new
    return t.clamp(0, 1)
