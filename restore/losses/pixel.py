"""Losses pixel by pixel; each takes two batches ``B x C x H x W`` and returns a scalar."""

from __future__ import annotations

import torch
from torch import Tensor


def l1(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (x - target).abs().mean()


def l2(x: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference."""
    return (x - target).square().mean()


def charbonnier(x: Tensor, target: Tensor, *, eps: float = 1e-3) -> Tensor:
    """sqrt(d^2 + eps^2), mean (Lai et al., LapSRN 2017)."""
    return torch.sqrt((x - target).square() + eps**2).mean()


def psnr_loss(x: Tensor, target: Tensor, *, floor: float = 1e-5) -> Tensor:
    """Mean over the batch of log10 of each sample's squared error: a decibel is worth the same at every noise level.

    ``floor`` (in squared units of [0, 1]; 1e-5 is 50 dB) keeps nearly perfect samples from ruling the gradient.
    """
    mse = (x - target).square().mean((1, 2, 3))
    return 0.1 * torch.log10(mse + floor).mean() + 0.5
