"""Colours under transparent pixels: made harmless before restoring, and put back afterwards."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from restore.errors import ImageError

_TILE = 1024
# Exact up to here, which is farther than restorers look; beyond it, the nearest block of a coarse grid.
_REACH = 256
_BLOCK = 16


def fill_under_alpha(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Replaces colours under fully transparent pixels by those of the nearest visible ones.

    What lies there is arbitrary (often black) and would bleed into the visible fringe through any filter.
    Nearest is Euclidean and exact up to 256 pixels; farther away it is the mean of the nearest visible block
    of 16 x 16. Extra memory: the copy that is returned and a few tiles.

    Args:
        pixels: ``H x W x C``, any dtype; not changed.
        alpha: ``H x W``; 0 is fully transparent.

    Returns:
        A new array, or ``pixels`` itself when nothing or everything is transparent.

    Raises:
        ImageError: the two differ in size.
    """
    _check(pixels, alpha)
    if alpha.all() or not alpha.any():
        return pixels
    out = pixels.copy()
    coarse: np.ndarray | None = None
    for top in range(0, alpha.shape[0], _TILE):
        for left in range(0, alpha.shape[1], _TILE):
            rows, columns = np.nonzero(alpha[top : top + _TILE, left : left + _TILE] == 0)
            if not len(rows):
                continue
            rows, columns = rows + top, columns + left
            y0, x0 = max(0, top - _REACH), max(0, left - _REACH)
            window = alpha[y0 : top + _TILE + _REACH, x0 : left + _TILE + _REACH]
            near = np.zeros(len(rows), bool)
            if window.any():
                distance, nearest = distance_transform_edt(window == 0, return_indices=True)
                near = distance[rows - y0, columns - x0] <= _REACH
                ys, xs = nearest[:, rows[near] - y0, columns[near] - x0]
                out[rows[near], columns[near]] = pixels[ys + y0, xs + x0]
            if not near.all():
                coarse = _coarse_colours(pixels, alpha) if coarse is None else coarse
                out[rows[~near], columns[~near]] = coarse[rows[~near] // _BLOCK, columns[~near] // _BLOCK]
    return out


def put_back(original: np.ndarray, restored: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """``restored`` with the colours of ``original`` where ``alpha`` is 0: hidden pixels stay as they were.

    Args:
        original, restored: ``H x W x C`` of one size and dtype; not changed.
        alpha: ``H x W``.

    Returns:
        A new array, or ``restored`` itself when nothing is fully transparent.

    Raises:
        ImageError: the sizes or dtypes differ.
    """
    _check(original, alpha)
    if original.shape != restored.shape or original.dtype != restored.dtype:
        raise ImageError(
            f"expected two pictures of one size and dtype, got {original.shape} of {original.dtype} "
            f"and {restored.shape} of {restored.dtype}"
        )
    if alpha.all():
        return restored
    out = restored.copy()
    np.copyto(out, original, where=(alpha == 0)[:, :, None])
    return out


def _check(pixels: np.ndarray, alpha: np.ndarray) -> None:
    if pixels.ndim != 3 or pixels.shape[:2] != alpha.shape:
        raise ImageError(f"expected alpha H x W for pixels H x W x C, got {alpha.shape} for {pixels.shape}")


def _coarse_colours(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Per 16 x 16 block the mean of its visible pixels, or that of the nearest block that has one."""
    height, width, channels = pixels.shape
    starts = np.arange(0, width, _BLOCK)
    means = np.zeros((-(-height // _BLOCK), len(starts), channels))
    counts = np.zeros(means.shape[:2])
    for block, top in enumerate(range(0, height, _BLOCK)):
        visible = alpha[top : top + _BLOCK] != 0
        seen = np.where(visible[:, :, None], pixels[top : top + _BLOCK], 0).sum(0, dtype=np.float64)
        counts[block] = np.add.reduceat(visible.sum(0), starts)
        means[block] = np.add.reduceat(seen, starts) / np.maximum(counts[block], 1)[:, None]
    ys, xs = distance_transform_edt(counts == 0, return_distances=False, return_indices=True)
    whole = pixels.dtype.kind in "iu"
    return (np.floor(means + 0.5) if whole else means)[ys, xs].astype(pixels.dtype)
