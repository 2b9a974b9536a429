"""Iterative back-projection (Irani & Peleg 1991): an upscaled picture that shrinks to the given one."""

from __future__ import annotations

from torch import Tensor

from restore.classical.upscale import upscale
from restore.errors import UsageError
from restore.resample import imresize


def back_projection(x: Tensor, *, scale: int, iterations: int = 10, step: float = 1.0) -> Tensor:
    """Bicubic upscaling, then repeatedly the upscaled error of its shrunk version is added.

    Args:
        x: ``B x C x H x W``, made by MATLAB's bicubic shrinking or something like it.
        scale: whole factor of each side.
        iterations: 0: plain bicubic.
        step: part of the error that is added.

    Returns:
        ``B x C x scale * H x scale * W``, not clipped.

    Raises:
        UsageError: a scale below 1 or a negative number of iterations.
    """
    if scale < 1 or iterations < 0:
        raise UsageError(
            f"expected a scale of 1 or more and iterations of 0 or more, got {scale}, {iterations}"
        )
    y = upscale(x, scale)
    for _ in range(iterations):
        y = y + step * upscale(x - imresize(y, size=(x.shape[-2], x.shape[-1])), scale)
    return y
