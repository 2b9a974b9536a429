"""Deconvolution with a known point spread function: Wiener, unsupervised Wiener, Richardson-Lucy.

A psf is a tensor with odd sides in the convention of true convolution: ``psf[r + dy, r + dx]`` is the light a pixel
sends ``dy`` rows down and ``dx`` columns right (:func:`restore.convolve.convolve` blurs with it).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore.convolve import convolve, pad
from restore.errors import UsageError

# Variance of the difference of neighbouring pixels in photographs, in squared units of [0, 1]: the largest that
# detailed ones reach serves them all best.
GRADIENT_VARIANCE = 0.012
# Less noise than this is never assumed: files are rounded.
_LEAST_SIGMA = 0.5 / 255


def checked_psf(psf: Tensor, x: Tensor) -> Tensor:
    """The psf in the precision of the work on the device of ``x``, summing to 1.

    Raises:
        UsageError: not a matrix with odd sides, negative or not finite values, or nothing but zeros.
    """
    if psf.ndim != 2 or psf.shape[0] % 2 == 0 or psf.shape[1] % 2 == 0:
        raise UsageError(f"expected a psf with odd sides, got shape {tuple(psf.shape)}")
    kernel = psf.detach().to(x.device, torch.float32)
    if not bool(torch.isfinite(kernel).all()) or bool((kernel < 0).any()) or not float(kernel.sum()) > 0:
        raise UsageError("expected a psf of finite values of 0 or more with a positive sum")
    return kernel / kernel.sum()


def transfer(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """The half spectrum of a kernel whose middle is the origin, for pictures of ``size``."""
    rows, columns = kernel.shape
    framed = torch.nn.functional.pad(kernel, (0, size[1] - columns, 0, size[0] - rows))
    return torch.fft.rfft2(framed.roll((-(rows // 2), -(columns // 2)), (0, 1)))


def difference_power(size: tuple[int, int], device: torch.device) -> Tensor:
    """|F(dx)|^2 + |F(dy)|^2 on the half spectrum: what squared gradients cost at each frequency."""
    fy, fx = torch.fft.fftfreq(size[0], device=device), torch.fft.rfftfreq(size[1], device=device)
    return 4 - 2 * torch.cos(2 * torch.pi * fy)[:, None] - 2 * torch.cos(2 * torch.pi * fx)


def periodic(x: Tensor, kernel: Tensor) -> tuple[Tensor, int, int]:
    """``x`` with mirrored borders that fade into their own blur, so that its ends meet; and the border's width.

    A picture is not periodic and the Fourier transform is: without this the edges ring. The frame is two psfs wide.
    """
    from scipy.fft import next_fast_len

    edge = [2 * n for n in kernel.shape]
    y = pad(x, *edge)
    grow = [next_fast_len(n, real=True) - n for n in y.shape[-2:]]
    y = pad(y, (grow[0] + 1) // 2, (grow[1] + 1) // 2)[..., : y.shape[-2] + grow[0], : y.shape[-1] + grow[1]]
    edge = [e + (g + 1) // 2 for e, g in zip(edge, grow, strict=True)]
    size = (y.shape[-2], y.shape[-1])
    soft = torch.fft.irfft2(torch.fft.rfft2(y) * transfer(kernel, size), s=size)
    keep = torch.ones(size, dtype=x.dtype, device=x.device)
    for axis, (n, e) in enumerate(zip(size, edge, strict=True)):
        ramp = (
            torch.minimum(torch.arange(n, device=x.device), torch.arange(n - 1, -1, -1, device=x.device)) / e
        )
        ramp = ramp.clamp(max=1)
        keep = keep * (ramp if axis else ramp[:, None])
    return y * keep + soft * (1 - keep), edge[0], edge[1]


def wiener(x: Tensor, psf: Tensor, *, sigma: float = 0.01) -> Tensor:
    """Wiener's filter (1949) for pictures whose gradients are white: H* / (|H|^2 + sigma^2 |D|^2 / variance).

    Args:
        x: ``B x C x H x W``.
        psf: see the module.
        sigma: standard deviation of the noise in units of [0, 1].

    Raises:
        UsageError: a psf with an even side or negative values, or a negative sigma.
    """
    kernel = checked_psf(psf, x)
    strength = checked_sigma(sigma) ** 2 / GRADIENT_VARIANCE
    y, top, left = periodic(x.detach().float(), kernel)
    size = (y.shape[-2], y.shape[-1])
    h = transfer(kernel, size)
    gain = h.conj() / (h.abs().square() + strength * difference_power(size, x.device)).clamp(min=1e-8)
    y = torch.fft.irfft2(torch.fft.rfft2(y) * gain, s=size)
    return y[..., top : top + x.shape[-2], left : left + x.shape[-1]].to(x.dtype).contiguous()


def unsupervised_wiener(x: Tensor, psf: Tensor, *, seed: int = 0) -> Tensor:
    """Wiener-Hunt deconvolution that finds its own balance (Orieux, Giovannelli & Rodet 2010; scikit-image).

    Args:
        x: ``B x C x H x W``.
        psf: see the module.
        seed: of the Gibbs sampler.

    Raises:
        UsageError: a psf with an even side or negative values.
    """
    from skimage.restoration import unsupervised_wiener as library

    kernel = checked_psf(psf, x)
    y, top, left = periodic(x.detach().float(), kernel)
    made = np.stack(
        [
            library(plane.cpu().double().numpy(), kernel.cpu().double().numpy(), clip=False, rng=seed)[0]
            for plane in y.flatten(0, 1)
        ]
    )
    y = torch.from_numpy(made).view(y.shape)
    return y[..., top : top + x.shape[-2], left : left + x.shape[-1]].to(x).contiguous()


def richardson_lucy(x: Tensor, psf: Tensor, *, iterations: int = 30, tv: float = 0.002) -> Tensor:
    """Richardson 1972 and Lucy 1974, with total variation (Dey et al. 2006) against the growing noise.

    Args:
        x: ``B x C x H x W``; light, so negative values count as none.
        psf: see the module.
        iterations: of the multiplicative update.
        tv: weight of the total variation; 0: the plain method.

    Raises:
        UsageError: a psf with an even side or negative values, no iteration, or a tv outside 0 to 0.1.
    """
    if iterations < 1 or not 0 <= tv <= 0.1:
        raise UsageError(f"expected 1 iteration or more and tv from 0 to 0.1, got {iterations} and {tv:g}")
    kernel = checked_psf(psf, x)
    seen = pad(x.detach().float().clamp(min=0), *kernel.shape)
    y = seen.clone()
    for _ in range(iterations):
        ratio = seen / convolve(y, kernel).clamp(min=1e-6)
        update = convolve(ratio, kernel.flip(0, 1)).clamp(min=0)
        y = y * update / (1 - tv * curvature(y)) if tv else y * update
    top, left = kernel.shape
    return y[..., top : top + x.shape[-2], left : left + x.shape[-1]].to(x.dtype).contiguous()


def curvature(x: Tensor) -> Tensor:
    """div(grad x / |grad x|), smoothed where the gradient is below 0.001; between -4 and 4."""
    dx = torch.diff(x, dim=-1, append=x[..., -1:])
    dy = torch.diff(x, dim=-2, append=x[..., -1:, :])
    size = (dx.square() + dy.square() + 1e-6).sqrt()
    dx, dy = dx / size, dy / size
    return torch.diff(dx, dim=-1, prepend=torch.zeros_like(dx[..., :1])) + torch.diff(
        dy, dim=-2, prepend=torch.zeros_like(dy[..., :1, :])
    )


def checked_sigma(sigma: float) -> float:
    """At least half a step of 8 bits.

    Raises:
        UsageError: negative or not finite.
    """
    if not 0 <= sigma < float("inf"):
        raise UsageError(f"expected sigma of 0 or more, got {sigma:g}")
    return max(sigma, _LEAST_SIGMA)
