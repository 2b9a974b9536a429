"""Wavelet shrinkage with a threshold of its own for every band: BayesShrink (Chang, Yu & Vetterli, TIP 2000)."""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np
import torch
from torch import Tensor

from restore.classical.each import per_picture
from restore.classical.transforms import dct_matrix
from restore.convolve import pad
from restore.errors import UsageError


@lru_cache(maxsize=16)
def daubechies(moments: int) -> tuple[float, ...]:
    """The orthonormal low-pass of Daubechies (1988) with so many vanishing moments: ``2 * moments`` taps.

    By spectral factorisation: the roots inside the unit circle are kept (extremal phase).
    """
    p = [comb(moments - 1 + k, k) for k in range(moments)]
    taps = np.array([1.0])
    for _ in range(moments):
        taps = np.convolve(taps, [1.0, 1.0])
    # y = (2 - z - 1/z) / 4 turns each root of the polynomial in y into a pair z, 1 / z.
    for y in np.roots(p[::-1]):
        pair = np.roots([1.0, 4 * y - 2, 1.0])
        taps = np.convolve(taps, [1.0, -pair[np.argmin(np.abs(pair))]])
    taps = np.real(taps)
    return tuple((taps * np.sqrt(2) / taps.sum()).tolist())


def wavelet(
    x: Tensor, *, sigma: float | Tensor, moments: int = 4, levels: int = 4, shifts: int = 4
) -> Tensor:
    """Soft thresholds sigma^2 / sigma_signal per band of an orthonormal wavelet, colours decorrelated first.

    Args:
        x: ``B x C x H x W``.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each; 0: unchanged.
        moments: vanishing moments of the Daubechies wavelet (1: Haar).
        levels: scales, each half of the one before.
        shifts: the mean over so many shifts in each direction (cycle spinning, Coifman & Donoho 1995); 1: none.

    Returns:
        A tensor like ``x``, not clipped, without gradient.

    Raises:
        UsageError: a negative sigma, or a number below 1.
    """
    if min(moments, levels, shifts) < 1:
        raise UsageError("wavelet: expected moments, levels and shifts of 1 or more")
    mix = dct_matrix(x.shape[1], x.device)
    made = []
    for picture, s in zip(x.detach(), per_picture(x, sigma, name="sigma"), strict=True):
        if s == 0:
            made.append(picture.clone())
            continue
        y = torch.einsum("ij,jhw->ihw", mix, picture.float())
        y = _spin(y, s, daubechies(moments), levels, shifts)
        made.append(torch.einsum("ij,ihw->jhw", mix, y).to(x.dtype))
    return torch.stack(made).contiguous()


def _spin(x: Tensor, sigma: float, taps: tuple[float, ...], levels: int, shifts: int) -> Tensor:
    grid = 2**levels
    height, width = x.shape[1:]
    edge = 2 * grid + len(taps)
    framed = pad(x[None], edge, edge)[0]
    h, w = (n // grid * grid for n in framed.shape[1:])
    total = torch.zeros_like(x)
    for dy in range(shifts):
        for dx in range(shifts):
            y = _shrink(framed[:, dy : dy + h - grid, dx : dx + w - grid], sigma, taps, levels)
            top, left = edge - dy, edge - dx
            total += y[:, top : top + height, left : left + width]
    return total / shifts**2


def _shrink(x: Tensor, sigma: float, taps: tuple[float, ...], levels: int) -> Tensor:
    """``C x H x W`` whose sides 2^levels divides."""
    if levels == 0:
        return x
    low, high = split(x, taps, -1)
    parts = [*split(low, taps, -2), *split(high, taps, -2)]
    done = [_shrink(parts[0], sigma, taps, levels - 1)]
    for band in parts[1:]:
        signal = (band.square().mean((-2, -1), keepdim=True) - sigma**2).clamp(min=0).sqrt()
        threshold = torch.where(signal > 0, sigma**2 / signal.clamp(min=1e-9), torch.inf)
        done.append(band - band.clamp(-threshold, threshold))
    return join(join(done[0], done[1], taps, -2), join(done[2], done[3], taps, -2), taps, -1)


def split(x: Tensor, taps: tuple[float, ...], axis: int) -> tuple[Tensor, Tensor]:
    """Low and high half of an axis of even length, periodic."""
    n = x.shape[axis]
    low = high = torch.zeros((), device=x.device)
    even = torch.arange(0, n, 2, device=x.device)
    for k, tap in enumerate(taps):
        low = low + tap * x.index_select(axis, (even + k) % n)
        high = high + (-1) ** k * taps[-1 - k] * x.index_select(axis, (even + k) % n)
    return low, high


def join(low: Tensor, high: Tensor, taps: tuple[float, ...], axis: int) -> Tensor:
    """The inverse of :func:`split` (its transpose)."""
    n = 2 * low.shape[axis]
    shape = list(low.shape)
    shape[axis] = n
    x = low.new_zeros(shape)
    even = torch.arange(0, n, 2, device=low.device)
    for k, tap in enumerate(taps):
        x.index_add_(axis, (even + k) % n, tap * low + (-1) ** k * taps[-1 - k] * high)
    return x
