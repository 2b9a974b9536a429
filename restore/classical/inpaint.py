"""Filling holes from what surrounds them: Telea, Navier-Stokes, biharmonic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from restore.classical.each import plane_by_plane
from restore.errors import UsageError


def telea(x: Tensor, mask: Tensor, *, radius: float = 5.0) -> Tensor:
    """Fast marching from the hole's edge inwards (Telea 2004; OpenCV, channel by channel in float).

    Args:
        x: ``B x C x H x W``.
        mask: ``B x 1 x H x W``, 1 (or True) where pixels are missing; known pixels come back bit for bit.
        radius: of the neighbourhood each pixel is made from, pixels.

    Raises:
        UsageError: a mask of another shape, or one that leaves nothing known.
    """
    import cv2

    # OpenCV's gradients are weighed for values up to 255: on [0, 1] the filling goes astray.
    return _fill(x, mask, lambda p, m: cv2.inpaint(p * 255, m, radius, cv2.INPAINT_TELEA) / 255)


def navier_stokes(x: Tensor, mask: Tensor, *, radius: float = 5.0) -> Tensor:
    """Isophotes continued like streamlines (Bertalmio, Bertozzi & Sapiro 2001; OpenCV). Arguments as :func:`telea`."""
    import cv2

    return _fill(x, mask, lambda p, m: cv2.inpaint(p * 255, m, radius, cv2.INPAINT_NS) / 255)


def biharmonic(x: Tensor, mask: Tensor) -> Tensor:
    """The smoothest filling, its bilaplacian 0 (Damelin & Hoang 2018; scikit-image). Arguments as :func:`telea`."""
    from skimage.restoration import inpaint_biharmonic

    return _fill(x, mask, lambda p, m: inpaint_biharmonic(p, m > 0))


def _fill(x: Tensor, mask: Tensor, function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Tensor:
    b, _, h, w = x.shape
    if tuple(mask.shape) != (b, 1, h, w):
        raise UsageError(f"expected a mask of {b} x 1 x {h} x {w}, got {' x '.join(map(str, mask.shape))}")
    holes = mask.detach() > 0.5
    if bool(holes.flatten(1).all(1).any()):
        raise UsageError("inpainting: expected known pixels in every picture, got a mask that covers all")
    made = []
    for picture, hole in zip(x.detach(), holes, strict=True):
        pixels = picture.permute(1, 2, 0).to("cpu", torch.float32).numpy()
        missing = hole[0].to("cpu", torch.uint8).numpy()
        y = plane_by_plane(pixels, lambda p, m=missing: function(p, m)) if missing.any() else pixels  # type: ignore[misc]
        y = torch.from_numpy(np.ascontiguousarray(y, dtype=np.float32)).permute(2, 0, 1).to(picture)
        made.append(torch.where(hole, y, picture))
    return torch.stack(made)
