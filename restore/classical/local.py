"""Filters of a small neighbourhood: median and bilateral."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from restore.classical.each import per_picture, plane_by_plane, through_numpy
from restore.errors import UsageError


def median(x: Tensor, *, size: int = 3) -> Tensor:
    """The median of ``size x size`` pixels, channel by channel, borders mirrored: against impulses (Tukey 1977).

    Raises:
        UsageError: an even size, or one below 1.
    """
    from scipy.ndimage import median_filter

    if size < 1 or size % 2 == 0:
        raise UsageError(f"median: expected an odd size of 1 or more, got {size}")
    if size == 1:
        return x.detach().clone()
    return through_numpy(x, lambda p: plane_by_plane(p, lambda c: median_filter(c, size=size, mode="mirror")))


def bilateral(x: Tensor, *, sigma: float | Tensor, spread: float = 1.8, contrast: float = 2.5) -> Tensor:
    """Bilateral filter (Tomasi & Manduchi 1998; OpenCV): a mean of the pixels that are near and alike.

    Args:
        x: ``B x C x H x W``; with three channels the likeness is that of the colour.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each; 0: unchanged.
        spread: standard deviation in space, pixels.
        contrast: standard deviation of the likeness in units of sigma.

    Raises:
        UsageError: a negative sigma, or a spread that is not above 0.
    """
    import cv2

    if not spread > 0:
        raise UsageError(f"bilateral: expected a spread above 0, got {spread:g}")
    side = 2 * round(2.5 * spread) + 1

    def one(pixels: np.ndarray, s: float) -> np.ndarray:
        if s == 0:
            return pixels

        def filtered(p: np.ndarray) -> np.ndarray:
            alike = (
                contrast * s * (p.shape[-1] if p.ndim == 3 else 1)
            )  # OpenCV sums |difference| over the channels
            return cv2.bilateralFilter(p, side, alike, spread, borderType=cv2.BORDER_REFLECT_101)

        return filtered(pixels) if pixels.shape[-1] == 3 else plane_by_plane(pixels, filtered)

    return through_numpy(x, one, per_picture(x, sigma, name="sigma"))
