"""The parts of a picture that a restorer does not see as colour: alpha, the black of CMYK, the strength."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from restore.errors import ImageError

if TYPE_CHECKING:
    from restore.files import Picture

# Rows handled at once where a float32 copy is needed: 256 rows of a picture 12,000 pixels wide are 37 MB.
_ROWS = 256

# H x W x C to H' x W' x C, same dtype.
Change = Callable[[np.ndarray], np.ndarray]


def change_planes(picture: Picture, change: Change) -> Picture:
    """``picture`` with ``change`` done to its colours, and to the black of CMYK as to a grey picture.

    Colours under fully transparent pixels are filled from their surroundings before, so that they do not
    bleed, and put back after unless the size changed; then alpha is resized with the colours.

    Raises:
        ImageError: NaN or infinity in a floating picture, or a black plane whose size went another way.
    """
    from restore.files import fill_under_alpha, put_back

    check_finite(picture.pixels)
    before = picture.pixels
    after = change(before if picture.alpha is None else fill_under_alpha(before, picture.alpha))
    size = after.shape[:2]
    alpha = picture.alpha
    if alpha is not None:
        if size == before.shape[:2]:
            after = put_back(before, after, alpha)
        else:
            alpha = resize_plane(alpha, size)
    black = picture.black
    if black is not None:
        black = change(black[:, :, None])[:, :, 0]
        if black.shape != size:
            raise ImageError(f"colour became {size} but black {black.shape}")
    return replace(picture, pixels=after, alpha=alpha, black=black)


def same_pixels(a: Picture, b: Picture) -> bool:
    """Whether two pictures have the same values everywhere; stops at the first rows that differ."""
    planes = ((a.pixels, b.pixels), (a.alpha, b.alpha), (a.black, b.black))
    return all(x is y or (x is not None and y is not None and _equal(x, y)) for x, y in planes)


def _equal(x: np.ndarray, y: np.ndarray) -> bool:
    if x.shape != y.shape:
        return False
    tops = range(0, len(x), _ROWS)
    return all(np.array_equal(x[t : t + _ROWS], y[t : t + _ROWS]) for t in tops)


def blend(before: np.ndarray, after: np.ndarray, strength: float) -> np.ndarray:
    """``before + strength * (after - before)`` in the dtype of ``before``, rounded half up, by bands of rows.

    ``strength`` 0 gives the values of ``before`` and 1 those of ``after``, bit for bit. May reuse ``after``.
    """
    if strength <= 0:
        return before
    if strength < 1:
        whole = np.issubdtype(before.dtype, np.integer)
        for top in range(0, len(before), _ROWS):
            x = before[top : top + _ROWS].astype(np.float32)
            y = x + np.float32(strength) * (after[top : top + _ROWS].astype(np.float32) - x)
            after[top : top + _ROWS] = np.floor(y + 0.5) if whole else y
    return after


def resize_plane(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``H x W`` to ``size`` (height, width), cubic up, by area down; a constant plane stays constant.

    Overshoot is cut at the plane's own extremes, so opaque stays opaque and transparent transparent.
    """
    import cv2

    low, high = plane.min(), plane.max()
    if low == high:
        return np.full(size, low, plane.dtype)
    smaller = size[0] < plane.shape[0] or size[1] < plane.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    resized = cv2.resize(plane, (size[1], size[0]), interpolation=how)
    return np.clip(resized, low, high, out=resized)


def check_finite(pixels: np.ndarray) -> None:
    """Refuses NaN and infinity; integers have none.

    Raises:
        ImageError: with how many values there are.
    """
    if not np.issubdtype(pixels.dtype, np.floating):
        return
    bad = sum(int((~np.isfinite(pixels[top : top + _ROWS])).sum()) for top in range(0, len(pixels), _ROWS))
    if bad:
        raise ImageError(f"expected finite values, got {bad} that are NaN or infinite")
