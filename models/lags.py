"""How a picture resembles itself shifted by a few pixels: what blur leaves in it, as small maps of fixed size.

A blurred picture's gradients correlate like the point spread function does with itself, since those of sharp pictures
hardly correlate (Goldstein & Fattal, "Blur-Kernel Estimation from Spectral Irregularities", ECCV 2012). The cepstrum,
the transform of the logarithm of the power, turns the product of blur and picture into a sum, and the zeros of a disc
or a straight motion into rings and dots (Cannon, IEEE TASSP 1976).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.look import Read

REACH = 31  # pixels; maps have sides of 2 * REACH + 1
_SIDE = 128  # of the windows whose power is averaged (Welch 1967), pixels
_WINDOWS = 1500  # of a large picture no more than about so many are looked at
_FLOOR = 1e-7  # added to the power, so that a flat picture has a logarithm


def lags(x: Tensor) -> Tensor:
    """``B x C x H x W`` to ``B x 2 x 63 x 63``: autocorrelation over its middle, and cepstrum, by offset in pixels."""
    return read_lags(lambda t, b, le, r: x[..., t:b, le:r], *x.shape[-2:])


def read_lags(read: Read, height: int, width: int) -> Tensor:
    """:func:`lags` of a picture of any size, read one row of windows at a time."""
    hop = max(_SIDE // 2, math.ceil(math.sqrt(height * width / _WINDOWS)))
    total, count = None, 0
    for top in _starts(height, hop):
        strip = _grey(read(top, min(top + _SIDE + 1, height), 0, width))
        power = torch.stack([_power(strip[..., le : le + _SIDE + 1]) for le in _starts(width, hop)])
        total = power.sum(0) if total is None else total + power.sum(0)
        count += len(power)
    assert total is not None
    return _maps(total / count + _FLOOR)


def _grey(x: Tensor) -> Tensor:
    """``B x H x W``; a picture smaller than a window is mirrored."""
    grey = x.float().mean(1, keepdim=True)
    while min(grey.shape[-2:]) < _SIDE + 1:
        more = [min(max(_SIDE + 1 - n, 0), n - 1) for n in grey.shape[-2:]]
        mode = "reflect" if min(grey.shape[-2:]) > 1 else "replicate"
        more = more if mode == "reflect" else [max(_SIDE + 1 - n, 0) for n in grey.shape[-2:]]
        grey = F.pad(grey, (0, more[1], 0, more[0]), mode=mode)
    return grey[:, 0]


def _starts(length: int, hop: int) -> list[int]:
    """Where windows begin; the last one ends with the picture."""
    last = max(length - _SIDE - 1, 0)
    return [*range(0, last, hop), last]


def _power(window: Tensor) -> Tensor:
    """The power of both gradients of ``B x 129 x 129``, ``B x 128 x 65``."""
    line = torch.hann_window(_SIDE, periodic=False, device=window.device)
    taper = line[:, None] * line
    across = window[:, 1:, 1:] - window[:, 1:, :-1]
    down = window[:, 1:, 1:] - window[:, :-1, 1:]
    return sum((torch.fft.rfft2(g * taper).abs().square() for g in (across, down)), torch.zeros(()))


def _maps(power: Tensor) -> Tensor:
    correlation = torch.fft.irfft2(power, s=(_SIDE, _SIDE))
    correlation = correlation / correlation[:, :1, :1]
    cepstrum = torch.fft.irfft2(power.log(), s=(_SIDE, _SIDE))
    middle = slice(_SIDE // 2 - REACH, _SIDE // 2 + REACH + 1)
    both = torch.fft.fftshift(torch.stack([correlation, cepstrum], 1), dim=(-2, -1))
    return both[..., middle, middle].contiguous()
