"""Losses of structure: differences of neighbours, and of spectra; both take ``B x C x H x W`` and give a scalar."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the differences between neighbours, down and across: edges weigh more."""
    d = x - target
    down, across = d[..., 1:, :] - d[..., :-1, :], d[..., :, 1:] - d[..., :, :-1]
    return down.abs().mean() + across.abs().mean()


def spectrum(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the Fourier coefficients (MIMO-UNet, Cho et al. 2021), orthonormal."""
    d = torch.fft.rfft2((x - target).float(), norm="ortho")
    return torch.view_as_real(d).abs().mean()
