"""The parts of a picture that every measurement shares: windows at full resolution, and a thumbnail of all of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np

from restore.tiling import Read

# Side of a window; it starts on the grid of JPEG's blocks.
SIDE = 256
BLOCK = 8
# Up to so many pixels a picture is looked at whole, which is what nine windows of a larger one are.
WHOLE = 9 * SIDE * SIDE
# Cells of the thumbnail along the long side, and at most so many rows of each are read.
CELLS = 96
_ROWS = 4


@dataclass(frozen=True)
class Sample:
    """What is looked at of one picture.

    Args:
        windows: ``h x w x C`` float32 in [0, 255] each, C = 1 or 3, rounded as 8 bits hold them; their tops and lefts
            are multiples of 8.
        thumbnail: ``h x w x 3`` float32 in [0, 255]: means over cells, not more than 96 a side.
        height, width: of the picture.
    """

    windows: list[np.ndarray]
    thumbnail: np.ndarray
    height: int
    width: int

    @cached_property
    def luma(self) -> list[np.ndarray]:
        """Grey (BT.601) of every window, ``h x w`` in [0, 255]."""
        return [grey(w) for w in self.windows]

    @cached_property
    def chroma(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Cb and Cr of every window without their offset; nothing of a grey one."""
        return [
            (0.564 * (w[..., 2] - y), 0.713 * (w[..., 0] - y))
            for w, y in zip(self.windows, self.luma, strict=True)
            if w.shape[2] == 3
        ]


def grey(pixels: np.ndarray) -> np.ndarray:
    """``h x w`` of ``h x w x C``, BT.601."""
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def brightest(pixels: np.ndarray) -> np.ndarray:
    """``h x w``: the largest of the channels (numpy's own reduction over a short axis is slow)."""
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    return np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def take_sample(read: Read, height: int, width: int) -> Sample:
    """Reads what is looked at: all of a picture up to 0.6 megapixels, of larger ones nine windows and thin bands.

    Args:
        read: ``read(top, bottom, left, right)`` gives that part, ``1 x C x h x w`` in [0, 1].
    """
    whole = height * width <= WHOLE
    places = [(0, height, 0, width)] if whole else window_places(height, width)
    windows = [_pixels(read, *place) for place in places]
    return Sample(windows, _thumbnail(read, height, width), height, width)


def window_places(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """At most nine windows of one size on a 3 x 3 grid, as (top, bottom, left, right), on the grid of blocks."""

    def starts(length: int) -> list[int]:
        last = max(0, length - SIDE) // BLOCK * BLOCK
        return sorted({0, last // 2 // BLOCK * BLOCK, last})

    return [
        (top, min(height, top + SIDE), left, min(width, left + SIDE))
        for top in starts(height)
        for left in starts(width)
    ]


def _pixels(read: Read, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    part = read(top, bottom, left, right)[0].float().cpu().numpy()
    return np.ascontiguousarray(np.rint(np.clip(part, 0, 1) * 255).transpose(1, 2, 0), dtype=np.float32)


def _thumbnail(read: Read, height: int, width: int) -> np.ndarray:
    """Means over cells; of cells that are higher than a few rows, over the rows in their middle."""
    scale = min(1.0, CELLS / max(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    edges = np.linspace(0, height, rows + 1).round().astype(int)
    if height * width <= WHOLE:
        part = _pixels(read, 0, height, 0, width)
        small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
        return _three(small)
    bands = []
    for top, bottom in pairwise(edges):
        first = top + max(0, bottom - top - _ROWS) // 2
        band = _pixels(read, int(first), int(min(bottom, first + _ROWS)), 0, width).mean(0, keepdims=True)
        bands.append(_three(cv2.resize(band, (columns, 1), interpolation=cv2.INTER_AREA)))
    return np.concatenate(bands)


def _three(pixels: np.ndarray) -> np.ndarray:
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
