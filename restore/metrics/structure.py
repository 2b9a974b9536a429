"""Further measures against a reference: MS-SSIM and GMSD (by piq), CIEDE2000 (by scikit-image)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.image import to_grey
from restore.metrics.psnr import pair

# Five scales of an 11 px window.
MS_SSIM_SMALLEST = 161


def ms_ssim(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Multi-scale SSIM (Wang, Simoncelli & Bovik 2003), five scales, colour as the mean of channels.

    Args:
        x: images ``B x C x H x W``, clamped to [0, 1]; ``y``: references of the same shape.
        border: pixels left out along each edge.

    Returns:
        B values; NaN below 161 px a side, where the coarsest window does not fit.
    """
    a, b = (v.clamp(0, 1) for v in pair(x, y, border=border))
    if min(a.shape[-2:]) < MS_SSIM_SMALLEST:
        return _undefined(a)
    return _piq("ms-ssim").multi_scale_ssim(a, b, data_range=1.0, reduction="none")


def gmsd(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Gradient magnitude similarity deviation (Xue et al., TIP 2014) of grey; lower is better. See :func:`ms_ssim`."""
    a, b = (to_grey(v.clamp(0, 1)) for v in pair(x, y, border=border))
    return _piq("gmsd").gmsd(a, b, data_range=1.0, reduction="none")


def ciede2000(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Mean colour difference CIEDE2000 (kL = kC = kH = 1, D65) of each image; 1 is about what can be seen."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    sides = [v.clamp(0, 1).expand(-1, 3, -1, -1) for v in pair(x, y, border=border)]
    labs = [rgb2lab(v.detach().cpu().permute(0, 2, 3, 1).numpy()) for v in sides]
    return torch.from_numpy(deltaE_ciede2000(*labs).mean((1, 2))).to(x.device)


def match_mean(x: Tensor, y: Tensor) -> Tensor:
    """``x`` scaled to the mean brightness of its *reference* ("GT-mean"), clamped to [0, 1].

    Worth decibels that no user will ever see: only for tables that say so, never instead of the plain score.
    """
    gain = to_grey(y).mean((1, 2, 3)) / to_grey(x).mean((1, 2, 3)).clamp(min=1e-6)
    return (x * gain.view(-1, 1, 1, 1)).clamp(0, 1)


def _undefined(x: Tensor) -> Tensor:
    return torch.full((len(x),), math.nan, dtype=torch.float64, device=x.device)


def _piq(name: str) -> Any:
    try:
        import piq
    except ImportError as error:
        raise UsageError(
            f"{name} needs piq, which is not installed", hint='pip install "restore-kit[metrics]"'
        ) from error
    return piq
