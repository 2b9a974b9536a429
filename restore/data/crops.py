"""Random crops from a library, each a function of (seed, step, place in the batch) and nothing else.

So a resumed run, another number of loader threads, or several processes that share a batch see the same crops.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def draw_crops(
    pictures: Sequence[np.ndarray],
    *,
    seed: int,
    step: int,
    batch: int,
    size: int,
    part: slice = slice(None),
    scenes: bool = False,
) -> Tensor:
    """``B x C x size x size`` float32 in [0, 1], channels last: crops ``part`` of the batch of ``batch``.

    Pictures are chosen by their area; of two random places the better textured is kept (flat sky teaches little);
    flips and transposes are free augmentation. Of ``scenes`` all pictures count alike, whatever is in the crop, and
    what is up stays up: they are mirrored only.
    """
    area = np.cumsum([1 if scenes else p.shape[0] * p.shape[1] for p in pictures], dtype=np.float64)
    crops = np.empty((len(range(batch)[part]), size, size, pictures[0].shape[2]), dtype=np.uint8)
    for out, i in zip(crops, range(batch)[part], strict=True):
        rng = np.random.default_rng((seed, step, i))
        picture = pictures[int(np.searchsorted(area, rng.random() * area[-1]))]
        a, b = (_crop(picture, size, rng) for _ in range(2))
        crop = a if scenes or _texture(a) >= _texture(b) else b
        flips = rng.integers(0, 8) & (2 if scenes else 7)
        crop = crop[::-1] if flips & 1 else crop
        crop = crop[:, ::-1] if flips & 2 else crop
        out[:] = crop.transpose(1, 0, 2) if flips & 4 else crop
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)


def centre_crop(picture: np.ndarray, size: int) -> Tensor:
    """``1 x 3 x h x w`` float32: the middle of a picture, at most ``size`` a side."""
    h, w = picture.shape[:2]
    y, x = max(0, (h - size) // 2), max(0, (w - size) // 2)
    middle = picture[y : y + size, x : x + size].copy()
    return torch.from_numpy(middle).permute(2, 0, 1)[None].float().div_(255)


def _crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    h, w = picture.shape[:2]
    y, x = int(rng.integers(0, h - size + 1)), int(rng.integers(0, w - size + 1))
    return picture[y : y + size, x : x + size]


def _texture(crop: np.ndarray) -> float:
    """Mean absolute difference between green neighbours, on every second row and column."""
    green = crop[::2, ::2, 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())
