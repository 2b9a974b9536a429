"""True convolution through the Fourier transform, and borders of any width."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.errors import UsageError, unknown

BORDERS = ("reflect", "wrap")


def pad(x: Tensor, rows: int, columns: int, *, border: str = "reflect") -> Tensor:
    """``rows`` and ``columns`` more on each side, of any number, mirrored without the edge or wrapped.

    Raises:
        UsageError: an unknown border.
    """
    if border not in BORDERS:
        raise unknown("border", border, BORDERS)
    for axis, extra in ((-2, rows), (-1, columns)):
        length = x.shape[axis]
        index = torch.arange(-extra, length + extra, device=x.device)
        if border == "wrap":
            index = index % length
        else:
            period = max(2 * (length - 1), 1)
            index = index % period
            index = torch.minimum(index, period - index) if length > 1 else index
        x = x.index_select(axis, index) if extra else x
    return x


def convolve(x: Tensor, psf: Tensor, *, border: str = "reflect") -> Tensor:
    """True convolution of every plane of ``B x C x H x W`` with one ``psf`` (odd sides), the size kept.

    Through the Fourier transform, faster than direct sums from 3 x 3 taps up: exact to about 1e-7 of the
    brightest value. Plane by plane, so that neither result nor memory depend on how many there are.

    Raises:
        UsageError: a psf with an even side, or an unknown border.
    """
    if psf.ndim != 2 or psf.shape[0] % 2 == 0 or psf.shape[1] % 2 == 0:
        raise UsageError(f"expected a psf with odd sides, got shape {tuple(psf.shape)}")
    kind = torch.promote_types(x.dtype, torch.float32)
    kernel = psf.to(x.device, kind)
    rows, columns = kernel.shape
    if kernel.numel() == 1:
        return x * kernel.to(x)
    from scipy.fft import next_fast_len

    sides = (x.shape[-2] + rows - 1, x.shape[-1] + columns - 1)
    size = [next_fast_len(n, real=True) for n in sides]
    transfer = torch.fft.rfft2(kernel, s=size)
    planes = []
    for plane in x.flatten(0, 1):
        padded = pad(plane.to(kind), rows // 2, columns // 2, border=border)
        y = torch.fft.irfft2(torch.fft.rfft2(padded, s=size) * transfer, s=size)
        planes.append(y[rows - 1 : sides[0], columns - 1 : sides[1]])
    return torch.stack(planes).view(x.shape).to(x.dtype)
