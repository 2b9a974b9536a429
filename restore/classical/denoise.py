"""Training-free denoising."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError


def nlm(x: Tensor, *, sigma: float | Tensor) -> Tensor:
    """Non-local means (Buades et al. 2005): patches of 5 x 5 within 6 pixels, h = 0.6 sigma.

    scikit-image's fast mode, which takes the noise out of the patch distances.

    Args:
        x: ``B x C x H x W``; noise may reach outside [0, 1].
        sigma: standard deviation of the noise in units of [0, 1], one for all pictures or one each; 0 returns
            the picture as it is.

    Returns:
        A tensor like ``x``, not clipped, without gradient.

    Raises:
        UsageError: a negative or non-finite sigma, or another number of them than of pictures.
    """
    from skimage.restoration import denoise_nl_means

    levels = torch.as_tensor(sigma, dtype=torch.float64).flatten().tolist()
    levels = levels * len(x) if len(levels) == 1 else levels
    if len(levels) != len(x):
        raise UsageError(f"nlm: expected one sigma, or one for each of {len(x)} pictures, got {len(levels)}")
    if not all(np.isfinite(s) and s >= 0 for s in levels):
        raise UsageError(f"nlm: expected sigma of 0 or more, got {min(levels):g}")
    made = []
    for picture, s in zip(x.detach(), levels, strict=True):
        if s == 0:
            made.append(picture.clone())
            continue
        pixels = picture.permute(1, 2, 0).to("cpu", torch.float32).numpy()
        clean = denoise_nl_means(
            pixels, patch_size=5, patch_distance=6, h=0.6 * s, sigma=s, fast_mode=True, channel_axis=-1
        )
        made.append(
            torch.from_numpy(np.ascontiguousarray(clean).reshape(pixels.shape)).permute(2, 0, 1).to(picture)
        )
    return torch.stack(made)
