"""What the degradation classifier is shown of a picture: a few crops."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

# Larger pictures are shrunk to this long side first: streaks, drops and flakes are as large as the picture has pixels.
LONG_SIDE = 1024
# Side of a crop in pixels.
CROP = 224
_SMALLEST = 64
# Up to this many pixels three crops tell what there is to tell.
_FEW_CROPS = 350_000
_THREE = ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0))
_FIVE = ((0.12, 0.12), (0.12, 0.88), (0.5, 0.5), (0.88, 0.12), (0.88, 0.88))


def cut_crops(pixels: np.ndarray) -> Tensor:
    """Three to five crops of a picture, ``N x 3 x s x t`` float32 in [0, 1].

    Args:
        pixels: ``H x W x C`` uint8, C 1 or 3.
    """
    height, width = pixels.shape[:2]
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    longest = max(height, width)
    if longest > LONG_SIDE:
        pixels = shrink_to(pixels, LONG_SIDE / longest)
        height, width = pixels.shape[:2]
    places = _THREE if height * width <= _FEW_CROPS else _FIVE
    tall, wide = min(CROP, height), min(CROP, width)
    starts = {(round((height - tall) * down), round((width - wide) * right)) for down, right in places}
    return torch.cat([_as_tensor(pixels[t : t + tall, s : s + wide]) for t, s in sorted(starts)])


def shrink_to(pixels: np.ndarray, scale: float) -> np.ndarray:
    """``pixels`` with every side times ``scale`` (below 1), by area."""
    height, width = (max(1, round(n * scale)) for n in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 3 else small[..., None]


def _as_tensor(pixels: np.ndarray) -> Tensor:
    """``1 x 3 x H x W`` in [0, 1]; mirrored until no side is too small for the network."""
    x = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
    for axis, n in ((-2, x.shape[-2]), (-1, x.shape[-1])):
        if n < _SMALLEST:
            place = torch.arange(_SMALLEST) % (2 * n)
            x = x.index_select(axis, torch.where(place < n, place, 2 * n - 1 - place))
    return x
