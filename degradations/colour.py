"""Encoded sRGB to linear light and back.

Light adds up, is absorbed and is counted by a sensor in linear units; files hold the encoded ones. The exact
curve of IEC 61966-2-1 and the power 2.2 that several published recipes use instead are different names, never
mixed silently. Values outside [0, 1] are kept by the exact curve: its straight part goes on below zero, its
power above one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from restore.errors import unknown

# Where light is mixed: as stored, in linear light, or in linear light taken for a power of 2.2.
SPACES = ("srgb", "linear", "power")
# Relative luminance of linear sRGB (Rec. 709) and the weights of encoded grey (Rec. 601).
LUMINANCE = (0.2126, 0.7152, 0.0722)
GREY = (0.299, 0.587, 0.114)
# Values handled at a time: they stay in the cache, which is three times faster.
_CHUNK = 1 << 14


def to_linear(x: Tensor, *, space: str = "linear") -> Tensor:
    """Encoded sRGB (any shape) in ``space``: "linear" exact, "power" max(x, 1e-8)^2.2, "srgb" as it is.

    Raises:
        UsageError: an unknown space.
    """
    return _through(x, space, {"linear": _decode, "power": _power})


def to_encoded(x: Tensor, *, space: str = "linear") -> Tensor:
    """The inverse of :func:`to_linear`."""
    return _through(x, space, {"linear": _encode, "power": _root})


def luminance(linear: Tensor) -> Tensor:
    """``B x 1 x H x W`` relative luminance of linear light ``B x C x H x W`` (C 1 or 3)."""
    if linear.shape[1] == 1:
        return linear
    weights = torch.tensor(LUMINANCE, dtype=linear.dtype, device=linear.device)
    return (linear * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def for_channels(rgb: Tensor, channels: int) -> Tensor:
    """A colour map ``B x 3 x ...`` for a picture of 3 channels, or its luminance for a grey one."""
    if channels == 3 or rgb.shape[1] == 1:
        return rgb
    weights = torch.tensor(LUMINANCE, dtype=rgb.dtype, device=rgb.device)
    return (rgb * weights.view(1, 3, *[1] * (rgb.ndim - 2))).sum(1, keepdim=True)


def elementwise(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``f(x)`` for a function of single values, in pieces that stay in the cache.

    A piece is never split among threads, so that the bits do not depend on how many there are: powers of
    single leftover values are computed in another way than those of full vectors.
    """
    pieces = x.contiguous().view(-1).split(_CHUNK)
    if torch.is_grad_enabled() and x.requires_grad:
        return torch.cat([f(piece) for piece in pieces]).view(x.shape)
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for piece, target in zip(pieces, out.view(-1).split(_CHUNK), strict=True):
        target.copy_(f(piece))
    return out


def _through(x: Tensor, space: str, curves: dict[str, Callable[[Tensor], Tensor]]) -> Tensor:
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    return x if space == "srgb" else elementwise(curves[space], x)


def _decode(x: Tensor) -> Tensor:
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04) + 0.055) / 1.055).pow(2.4))


def _encode(x: Tensor) -> Tensor:
    # The clamps keep the unused branch's gradient finite. 0.04045 / 12.92, where the two curves meet.
    return torch.where(x <= 0.04045 / 12.92, x * 12.92, 1.055 * x.clamp(min=0.003).pow(1 / 2.4) - 0.055)


def _power(x: Tensor) -> Tensor:
    return x.clamp(min=1e-8).pow(2.2)


def _root(x: Tensor) -> Tensor:
    return x.clamp(min=1e-8).pow(1 / 2.2)
