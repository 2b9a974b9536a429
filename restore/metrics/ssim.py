"""Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004), per image.

Gaussian window of 11 x 11, standard deviation 1.5, K1 = 0.01, K2 = 0.03, data range 1, population
covariance, averaged where the window lies inside the image; colour is the mean over the channels.
Other choices give other numbers (from .365 to .534 on one noisy photograph), so there are none to make here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.image import check_image, to_y601
from restore.metrics.psnr import pair

WINDOW = 11


def ssim(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """SSIM of each image, 1 for identical ones; not differentiable (a measure, not a loss).

    Computed by scikit-image in float64: it is the published definition, and twenty times as fast on a CPU as
    a dense 11 x 11 convolution.

    Args:
        x: images ``B x C x H x W``; values are taken as they are.
        y: references of the same shape.
        border: pixels left out along each edge before anything else.

    Returns:
        B values, float64, on the device of ``x``. NaN where a side is below 11 px after the border is off:
        the window does not fit, and a smaller one would be another measure under the same name.

    Raises:
        ImageError: no image, or shapes that differ.
        UsageError: a border that leaves no pixel.
    """
    a, b = pair(x, y, border=border)
    if min(a.shape[-2:]) < WINDOW:
        return torch.full((len(a),), math.nan, dtype=torch.float64, device=a.device)
    from skimage.metrics import structural_similarity

    scores = [
        structural_similarity(
            image,
            reference,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=0,
        )
        for image, reference in zip(a.detach().cpu().numpy(), b.detach().cpu().numpy(), strict=True)
    ]
    return torch.tensor(scores, dtype=torch.float64, device=a.device)


def ssim_y(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """SSIM of studio-range luma (:func:`restore.image.to_y601`), unrounded."""
    return ssim(to_y601(check_image(x).double()), to_y601(check_image(y).double()), border=border)
