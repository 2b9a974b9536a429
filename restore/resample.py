"""Resampling as MATLAB's ``imresize`` does it: what "bicubic" means in the super-resolution literature.

Output sample ``i`` sits at ``u = (i + 0.5) / s - 0.5`` of the input; its weights are ``f((u - j) / k)`` with
``k = max(1, 1 / s)`` (antialias), normalised to sum 1; the border mirrors with the edge repeated. The axis
with the smaller scale goes first, height first among equals. With ``bits=8`` values are rounded half up and
clipped after each axis, as MATLAB does with uint8 pictures: leaving the rounding between the axes out moves
values by 1 or 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError, unknown

# Values per strip of rows: float64 copies stay small (and in the cache) however large the picture.
_STRIP = 1 << 19


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -0.5 (Keys 1981)."""
    a = np.abs(x)
    inner = 1.5 * a**3 - 2.5 * a**2 + 1
    outer = -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2
    return np.where(a <= 1, inner, np.where(a <= 2, outer, 0.0))


def triangle(x: np.ndarray) -> np.ndarray:
    """1 - |x|, the kernel of linear interpolation."""
    return np.maximum(1 - np.abs(x), 0.0)


def lanczos3(x: np.ndarray) -> np.ndarray:
    """sinc(x) sinc(x / 3) for |x| < 3 (Duchon 1979)."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


# Kernel and the width of its support; "area" and "nearest" follow from geometry alone.
_SMOOTH: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bicubic": (cubic, 4.0),
    "bilinear": (triangle, 2.0),
    "lanczos3": (lanczos3, 6.0),
}
KERNELS = (*_SMOOTH, "area", "nearest")


def imresize(
    x: Tensor,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    kernel: str = "bicubic",
    antialias: bool = True,
    bits: int = 0,
) -> Tensor:
    """Resizes ``B x C x H x W`` by ``scale`` (``ceil(n * scale)`` an axis) or to ``size`` (height, width).

    Args:
        kernel: "bicubic", "bilinear", "lanczos3" (as MATLAB's), "area" (mean over the footprint of a sample),
            "nearest" (the pixel under a sample's centre).
        antialias: widens the smooth kernels when shrinking; "area" always averages, "nearest" never.
        bits: 0: floating values, unclipped, differentiable, weights and sums in float64. 8 (1 to 16): the
            picture is rounded half up to that many bits and clipped to [0, 1] before, between and after the
            axes; no gradient.

    Returns:
        A new tensor of the type and on the device of ``x``.

    Raises:
        UsageError: an unknown kernel, both or none of scale and size, or a size below 1.
    """
    height, width = (_axis_scale(n, i, scale, size) for i, n in enumerate(x.shape[-2:]))
    if kernel not in KERNELS:
        raise unknown("kernel", kernel, KERNELS)
    if not 0 <= bits <= 16:
        raise UsageError(f"expected bits from 0 to 16, got {bits}")
    out = x.new_empty((*x.shape[:2], height[0], width[0]))
    source, target = x, out
    first, second = height, width
    if width[1] < height[1]:  # the smaller scale first
        source, target = x.transpose(-1, -2).contiguous(), out.transpose(-1, -2)
        first, second = width, height
    top = float(2**bits - 1)
    if bits:
        source = _round_half_up(source.detach() * top, top)
    index, weights = taps(source.shape[-2], *first, kernel, antialias)
    across = taps(source.shape[-1], *second, kernel, antialias)
    strip = max(_STRIP * source.shape[-2] // source.numel(), 1)
    for start in range(0, first[0], strip):
        rows = slice(start, start + strip)
        y = _weigh_rows(source, index[:, rows], weights[:, rows])
        y = _round_half_up(y, top) if bits else y
        # Rows are gathered much faster than columns.
        y = _weigh_rows(y.transpose(-1, -2).contiguous(), *across).transpose(-1, -2)
        y = _round_half_up(y, top) if bits else y
        target[..., rows, :] = y.to(x.dtype) / top if bits else y.to(x.dtype)
    return out


@lru_cache(maxsize=64)
def taps(length: int, out: int, scale: float, kernel: str, antialias: bool) -> tuple[Tensor, Tensor]:
    """Which input samples make each output sample along one axis.

    Returns:
        ``P x out`` indices (int64) and weights (float64, columns sum to 1).
    """
    centre = (np.arange(out) + 0.5) / scale - 0.5
    if kernel == "nearest":
        nearest = np.minimum(np.floor(centre + 0.5).astype(np.int64), length - 1)
        return torch.from_numpy(nearest[None]), torch.ones((1, out), dtype=torch.float64)
    if kernel == "area":
        reach = 0.5 / scale
        first = np.floor(centre - reach + 0.5).astype(np.int64)
        places = first + np.arange(math.ceil(2 * reach) + 1)[:, None]
        low, high = np.maximum(places - 0.5, centre - reach), np.minimum(places + 0.5, centre + reach)
        weights = np.maximum(high - low, 0.0)
    else:
        f, support = _SMOOTH[kernel]
        k = max(1.0, 1.0 / scale) if antialias else 1.0
        first = np.floor(centre - support * k / 2).astype(np.int64)
        places = first + np.arange(math.ceil(support * k) + 2)[:, None]
        weights = f((centre - places) / k)
    weights = weights / weights.sum(0)
    mirrored = places % (2 * length)
    mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
    used = np.any(weights != 0, axis=1)
    return torch.from_numpy(mirrored[used]), torch.from_numpy(weights[used])


def _axis_scale(
    length: int, axis: int, scale: float | None, size: tuple[int, int] | None
) -> tuple[int, float]:
    """Output length and scale of one axis."""
    if (scale is None) == (size is None):
        raise UsageError(
            "expected either scale or size", hint="imresize(x, scale=0.25) or imresize(x, size=(h, w))"
        )
    if size is not None:
        if size[axis] < 1:
            raise UsageError(f"expected a size of at least 1 x 1, got {size[0]} x {size[1]}")
        return size[axis], size[axis] / length
    assert scale is not None
    if not (math.isfinite(scale) and scale > 0):
        raise UsageError(f"expected a scale above 0, got {scale:g}")
    return max(math.ceil(length * scale - 1e-9), 1), scale


def _weigh_rows(x: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of rows in float64, tap by tap in a fixed order: the same bits in any batch or strip."""
    total: Tensor | None = None
    for places, w in zip(index.to(x.device), weights.to(x.device), strict=True):
        term = x.index_select(-2, places) * w[:, None]
        total = term if total is None else total.add_(term)
    assert total is not None
    return total


def _round_half_up(x: Tensor, top: float) -> Tensor:
    """In place."""
    return x.add_(0.5).floor_().clamp_(0, top)
