"""Peak signal-to-noise ratio, per image.

Values are taken as they are: nothing is clamped, rounded or cropped here except the border that is asked for,
so that the caller's protocol says what was done. Scores of several images are to be averaged in dB ("mean of
images"); one error pooled over all images is another number.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.errors import ImageError, UsageError
from restore.image import check_image, to_y601


def psnr(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """PSNR in dB over all pixels and channels of each image, peak 1.

    Args:
        x: images ``B x C x H x W``.
        y: references of the same shape.
        border: pixels left out along each edge (super-resolution: the scale).

    Returns:
        B values, float64, on the device of ``x``; ``inf`` where both are the same.

    Raises:
        ImageError: no image, or shapes that differ.
        UsageError: a border that leaves no pixel.
    """
    a, b = pair(x, y, border=border)
    error = (a - b).square().flatten(1).mean(1)
    return -10.0 * torch.log10(error)


def psnr_y(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """PSNR in dB of studio-range luma (:func:`restore.image.to_y601`), unrounded, peak 1.

    Studio range spans 219 of 255 steps, so a grey image scores 1.32 dB more here than in :func:`psnr`.
    """
    return psnr(to_y601(check_image(x).double()), to_y601(check_image(y).double()), border=border)


def pair(x: Tensor, y: Tensor, *, border: int = 0) -> tuple[Tensor, Tensor]:
    """Both as checked float64 of one shape on the device of ``x``, without the border."""
    check_image(x), check_image(y, where="reference")
    if x.shape != y.shape:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ImageError(f"expected an image and a reference of one shape, got {shapes}")
    height, width = x.shape[-2:]
    if border < 0 or 2 * border >= min(height, width):
        raise UsageError(f"expected a border that leaves pixels of a {height} x {width} image, got {border}")
    inner = (..., slice(border, height - border), slice(border, width - border))
    return x[inner].double(), y.to(x.device)[inner].double()
