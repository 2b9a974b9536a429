"""Rain streaks as what is bright, sparse and long in one direction.

Deng, Huang, Zhao & Jiang, "A directional global sparse model for single image rain removal" (2018): streaks s change
little along their direction, the clean picture little across it, and s is sparse and not negative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.convolve import pad
from restore.errors import UsageError
from restore.image import to_grey


def derain(
    x: Tensor, *, angle: float = 0.0, along: float = 1.0, sparse: float = 0.15, iterations: int = 60
) -> Tensor:
    """min over 0 <= s of along |d_along s|_1 + sparse |s|_1 + |d_across (y - s)|_1 by ADMM, then x - s.

    Streaks are grey: s is found in the luma y and taken from every channel.

    Args:
        x: ``B x C x H x W`` in [0, 1].
        angle: of the streaks from the vertical, degrees, positive when they lean like a slash.
        along, sparse: weights.
        iterations: of ADMM.

    Returns:
        A tensor like ``x``, not clipped.

    Raises:
        UsageError: a negative weight or no iteration.
    """
    if along < 0 or sparse < 0 or iterations < 1:
        raise UsageError("derain: expected weights of 0 or more and 1 iteration or more")
    edge = 16
    y = pad(to_grey(x.detach()).float(), edge, edge)
    streaks = find_streaks(y, angle=angle, along=along, sparse=sparse, iterations=iterations)
    return x - streaks[..., edge:-edge, edge:-edge].to(x.dtype)


def find_streaks(y: Tensor, *, angle: float, along: float, sparse: float, iterations: int) -> Tensor:
    """The streak layer of ``B x 1 x H x W``."""
    size = (y.shape[-2], y.shape[-1])
    rows = torch.fft.fftfreq(size[0], device=y.device)[:, None]
    columns = torch.fft.rfftfreq(size[1], device=y.device)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def shift(down: float, right: float) -> Tensor:
        return torch.exp(2j * torch.pi * (down * rows + right * columns)) - 1

    d_along, d_across = shift(c, -s), shift(s, c)
    bottom = d_along.abs().square() + 1 + d_across.abs().square()

    def apply(d: Tensor, z: Tensor) -> Tensor:
        return torch.fft.irfft2(d * torch.fft.rfft2(z), s=size)

    across_y = apply(d_across, y)
    rho = 10.0  # of the splitting: thresholds of 0.1 for a weight of 1
    layer = torch.zeros_like(y)
    p, q, r = apply(d_along, layer), layer, across_y
    up, uq, ur = torch.zeros_like(y), torch.zeros_like(y), torch.zeros_like(y)
    for _ in range(iterations):
        top = d_along.conj() * torch.fft.rfft2(p - up) + torch.fft.rfft2(q - uq)
        top = top + d_across.conj() * torch.fft.rfft2(across_y - r + ur)
        layer = torch.fft.irfft2(top / bottom, s=size)
        ps, rs = apply(d_along, layer), across_y - apply(d_across, layer)
        p = _soft(ps + up, along / rho)
        q = (layer + uq - sparse / rho).clamp(min=0).minimum(y.clamp(min=0))
        r = _soft(rs + ur, 1 / rho)
        up, uq, ur = up + ps - p, uq + layer - q, ur + rs - r
    return q


def _soft(x: Tensor, limit: float) -> Tensor:
    return x - x.clamp(-limit, limit)
