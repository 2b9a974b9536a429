"""Losses that need no reference (Zero-DCE, Guo et al., CVPR 2020); pictures ``B x 3 x H x W`` in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def spatial_consistency(x: Tensor, source: Tensor) -> Tensor:
    """Squared change of the differences between neighbouring means of 4 x 4 pixels, all four neighbours."""
    a, b = (F.avg_pool2d(v.mean(1, keepdim=True), 4) for v in (x, source))
    total = x.new_zeros(())
    for axis in (-1, -2):
        # Every inner difference belongs to two neighbours; those across the border are the pixel itself (zeros there).
        for padding in ((1, 0), (0, 1)):
            pad = padding if axis == -1 else (0, 0, *padding)
            da, db = (torch.diff(F.pad(v, pad), dim=axis) for v in (a, b))
            total = total + (da - db).square().mean()
    return total


def exposure(x: Tensor, *, level: float = 0.6, side: int = 16) -> Tensor:
    """Squared distance of the mean grey of ``side`` x ``side`` pixels from ``level``."""
    return (F.avg_pool2d(x.mean(1, keepdim=True), side) - level).square().mean()


def colour_constancy(x: Tensor) -> Tensor:
    """Grey world: root of the summed fourth powers of the differences between channel means."""
    r, g, b = x.mean((2, 3)).unbind(1)
    return ((r - g) ** 4 + (r - b) ** 4 + (g - b) ** 4 + 1e-12).sqrt().mean()


def smoothness(maps: Tensor) -> Tensor:
    """Squared differences between neighbours of the curve maps ``B x C x H x W``, down and across.

    Per picture and map, over the number of differences along each axis, summed over the axes, as total variation.
    """
    down, across = (torch.diff(maps, dim=axis).square().sum((2, 3)) for axis in (-2, -1))
    h, w = maps.shape[-2:]
    return 2 * (down / ((h - 1) * w) + across / (h * (w - 1))).sum() / len(maps)
