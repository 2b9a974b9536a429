"""Deconvolution with sparse gradients by half-quadratic splitting: hyper-Laplacian priors and total variation."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.classical.deconvolve import checked_psf, checked_sigma, difference_power, periodic, transfer
from restore.errors import UsageError

# 1 / sigma^2 times this is the weight of the data (Krishnan & Fergus: 2000 at a sigma of 0.01, power 2/3); total
# variation serves best with half of it. In between: linear.
_DATA, _DATA_TV = 0.2, 0.1


def sparse_deconvolve(x: Tensor, psf: Tensor, *, sigma: float = 0.01, power: float = 2 / 3) -> Tensor:
    """min over z of lambda / 2 |psf * z - x|^2 + sum |grad z|^power (Krishnan & Fergus 2009).

    Gradients are split off and tied back by beta, which grows from 1 to 256 by 2 sqrt(2); each step is one shrinkage
    and one division in the Fourier domain.

    Args:
        x: ``B x C x H x W``.
        psf: odd sides, true convolution (see :mod:`restore.classical.deconvolve`).
        sigma: standard deviation of the noise in units of [0, 1].
        power: 2/3 fits photographs, 1 is total variation (Wang et al. 2008).

    Raises:
        UsageError: a psf with an even side or negative values, a negative sigma, a power outside 0.3 to 1.
    """
    if not 0.3 <= power <= 1:
        raise UsageError(f"expected a power from 0.3 to 1, got {power:g}")
    kernel = checked_psf(psf, x)
    share = (power - 2 / 3) * 3
    weight = (_DATA + share * (_DATA_TV - _DATA)) / checked_sigma(sigma) ** 2
    y, top, left = periodic(x.detach().float(), kernel)
    size = (y.shape[-2], y.shape[-1])
    h = transfer(kernel, size)
    data, blur, smooth = h.conj() * torch.fft.rfft2(y), h.abs().square(), difference_power(size, x.device)
    z, beta = y, 1.0
    while beta <= 256:
        wx = shrink(z.roll(-1, -1) - z, beta, power)
        wy = shrink(z.roll(-1, -2) - z, beta, power)
        back = (wx.roll(1, -1) - wx) + (wy.roll(1, -2) - wy)
        ratio = beta / weight
        z = torch.fft.irfft2(
            (data + ratio * torch.fft.rfft2(back)) / (blur + ratio * smooth).clamp(min=1e-8), s=size
        )
        beta *= 2 * 2**0.5
    return z[..., top : top + x.shape[-2], left : left + x.shape[-1]].to(x.dtype).contiguous()


def shrink(v: Tensor, beta: float, power: float) -> Tensor:
    """argmin over w of |w|^power + beta / 2 (w - v)^2: Newton from |v|, then compared with 0."""
    size = v.abs()
    if power == 1:
        return v - v.clamp(-1 / beta, 1 / beta)
    w = size.clamp(min=1e-6)
    for _ in range(5):
        slope = power * w ** (power - 1) + beta * (w - size)
        bend = power * (power - 1) * w ** (power - 2) + beta
        w = torch.where(bend > 0, w - slope / bend, w).clamp(min=1e-6)
    stays = w**power + beta / 2 * (w - size).square() < beta / 2 * size.square()
    return torch.where(stays, w, torch.zeros_like(w)) * v.sign()
