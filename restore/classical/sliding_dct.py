"""Sliding DCT denoising: every overlapping block is thresholded, and what they say of a pixel is averaged.

Yu & Sapiro, "DCT image denoising: a simple and effective image denoising algorithm" (IPOL 2011).
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.classical.each import per_picture
from restore.classical.patches import map_patches
from restore.classical.transforms import dct_matrix
from restore.errors import UsageError


def sliding_dct(
    x: Tensor, *, sigma: float | Tensor, block: int = 16, step: int = 2, threshold: float = 3.0
) -> Tensor:
    """Hard thresholding of the DCT of overlapping blocks, colours decorrelated by a DCT of their own first.

    Args:
        x: ``B x C x H x W``.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each; 0: unchanged.
        block: side of the blocks, pixels (16 in the paper; 8 keeps more detail in small pictures).
        step: blocks begin every so many pixels; 1 in the paper.
        threshold: in units of sigma.

    Returns:
        A tensor like ``x``, not clipped, without gradient.

    Raises:
        UsageError: a negative sigma, or a step not from 1 to the block.
    """
    if not 1 <= step <= block:
        raise UsageError(f"sliding-dct: expected a step from 1 to {block}, got {step}")
    mix, matrix = dct_matrix(x.shape[1], x.device), dct_matrix(block, x.device)
    made = []
    for picture, s in zip(x.detach(), per_picture(x, sigma, name="sigma"), strict=True):
        if s == 0:
            made.append(picture.clone())
            continue

        def shrink(blocks: Tensor, limit: float = threshold * s) -> Tensor:
            y = matrix @ blocks @ matrix.T
            y = torch.where(y.abs() > limit, y, torch.zeros_like(y))
            return matrix.T @ y @ matrix

        y = torch.einsum("ij,jhw->ihw", mix, picture.float())
        y = torch.cat([map_patches(p, shrink, side=block, step=step) for p in y.split(1)])
        made.append(torch.einsum("ij,ihw->jhw", mix, y).to(x.dtype))
    return torch.stack(made).contiguous()
