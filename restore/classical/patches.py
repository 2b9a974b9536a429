"""All overlapping patches of a picture through a function, and the mean of what they say of each pixel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from restore.convolve import pad

# Values in memory at a time.
_CHUNK = 1 << 23


def take_patches(x: Tensor, side: int, step: int) -> Tensor:
    """``C x H x W`` to ``N x C x side x side``, row by row."""
    y = x.unfold(1, side, step).unfold(2, side, step)
    return y.permute(1, 2, 0, 3, 4).reshape(-1, x.shape[0], side, side)


def map_patches(x: Tensor, function: Callable[[Tensor], Tensor], *, side: int, step: int) -> Tensor:
    """The mean over all patches after ``function(N x C x side x side)``, borders mirrored.

    Args:
        x: ``C x H x W``.
        step: patches begin every so many pixels, 1 to ``side``.
    """
    c, height, width = x.shape
    framed = pad(x[None], side, side)[0]
    h, w = ((n - side) // step * step + side for n in framed.shape[1:])
    framed = framed[:, :h, :w]
    total, count = torch.zeros_like(framed), torch.zeros_like(framed[:1])
    across, down = (w - side) // step + 1, (h - side) // step + 1
    band = max(_CHUNK // (across * side * side * c), 1)
    for first in range(0, down, band):
        last = min(first + band, down)
        rows = slice(first * step, (last - 1) * step + side)
        size = (rows.stop - rows.start, w)
        y = function(take_patches(framed[:, rows], side, step))
        total[:, rows] += F.fold(y.flatten(1).T, size, side, stride=step)
        ones = y.new_ones(1, 1).expand(side * side, len(y))
        count[:, rows] += F.fold(ones, size, side, stride=step)
    return (total / count)[:, side : side + height, side : side + width]
