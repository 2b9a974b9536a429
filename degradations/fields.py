"""Random fields of the weather, each from one seed: fractal clouds, smooth fields, lines, scattered spots.

Fields are single planes ``H x W`` on the CPU. The large features of a seed stay the same at every picture size.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import sample as draw

# Fractal clouds are summed at this short side at most and enlarged: finer octaves weigh below 1 / 64.
_FINEST = 256


def fbm(
    seed: int, height: int, width: int, *, cells: float = 2.0, persistence: float = 0.5, octaves: int = 8
) -> Tensor:
    """Fractional Brownian motion ``H x W``, float32, scaled to fill [0, 1]: clouds, banks of fog, stains.

    The sum over octaves o of ``persistence^o N(2^o f)``, N uniform grid noise upsampled bicubically.

    Args:
        cells: grid cells along the short side in the first octave (f).
        persistence: weight of each octave over the one before.
        octaves: at most; those finer than two pixels are left out.
    """
    short = min(height, width)
    ratio = min(_FINEST / short, 1.0)
    rows, columns = max(round(height * ratio), 1), max(round(width * ratio), 1)
    total = torch.zeros((rows, columns))
    for octave in range(octaves):
        step = cells * 2**octave / short
        if octave and step * 2 > ratio:
            break
        grid = (math.ceil(height * step) + 1, math.ceil(width * step) + 1)
        noise = uniform_field(draw.child_seed(seed, "fbm", octave), *grid)
        total += persistence**octave * _stretch(noise, rows, columns)
    total = _stretch(total, height, width)
    low, high = total.min(), total.max()
    return ((total - low) / (high - low)).clamp_(0, 1) if high > low else torch.full_like(total, 0.5)


def uniform_field(seed: int, height: int, width: int) -> Tensor:
    """Independent values of U(0, 1), ``H x W``, float32."""
    return uniforms(seed, height * width).view(height, width).float()


def uniforms(seed: int, count: int) -> Tensor:
    """``count`` values of U(0, 1), float64; a longer row begins with the shorter one."""
    return draw.draw_uniform(count, 0.0, 1.0, draw.generator(seed))


def splat(y: np.ndarray, x: np.ndarray, weight: np.ndarray, height: int, width: int) -> np.ndarray:
    """Adds point weights to the four pixels around each place (bilinear); ``H x W`` float64.

    Args:
        y, x: places in pixels, whole numbers being pixel centres; what falls outside is lost.
    """
    row, column = np.floor(y), np.floor(x)
    seen = (row >= -1) & (row < height) & (column >= -1) & (column < width)
    row, column, weight = row[seen], column[seen], weight[seen]
    fy, fx = y[seen] - row, x[seen] - column
    # A frame of one pixel takes what falls half outside.
    wide = width + 2
    corner = ((row + 1) * wide + column + 1).astype(np.int64)
    total = np.zeros((height + 2) * wide)
    shares = ((0, (1 - fy) * (1 - fx)), (1, (1 - fy) * fx), (wide, fy * (1 - fx)), (wide + 1, fy * fx))
    for shift, share in shares:
        total += np.bincount(corner + shift, weights=weight * share, minlength=len(total))
    return total.reshape(height + 2, wide)[1:-1, 1:-1]


def _stretch(plane: Tensor, height: int, width: int) -> Tensor:
    if plane.shape == (height, width):
        return plane.clone()
    return F.interpolate(plane[None, None], size=(height, width), mode="bicubic", align_corners=False)[0, 0]
