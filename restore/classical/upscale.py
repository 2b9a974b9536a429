"""Upscaling by interpolation: the floor every super-resolution network has to beat."""

from __future__ import annotations

from torch import Tensor

from restore.errors import UsageError, unknown
from restore.resample import imresize

# The usual names, and the kernel each stands for.
METHODS = {
    "bicubic": "bicubic",
    "bilinear": "bilinear",
    "nearest": "nearest",
    "lanczos": "lanczos3",
    "area": "area",
}


def upscale(x: Tensor, scale: float, method: str = "bicubic", *, bits: int = 0) -> Tensor:
    """``B x C x H x W`` to ``B x C x ceil(H * scale) x ceil(W * scale)``; "bicubic" is MATLAB's ``imresize``.

    Args:
        scale: factor of each side, at least 1.
        method: one of ``METHODS``.
        bits: 8: rounds and clips after each axis as MATLAB does with uint8 (published bicubic scores of the
            8-bit path); 0: floating values, unclipped and differentiable.

    Raises:
        UsageError: an unknown method, or a scale below 1.
    """
    if method not in METHODS:
        raise unknown("upscaling method", method, METHODS)
    if not scale >= 1:
        raise UsageError(
            f"expected a scale of at least 1, got {scale:g}", hint="imresize makes pictures smaller"
        )
    return imresize(x, scale=scale, kernel=METHODS[method], bits=bits)
