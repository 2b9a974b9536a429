"""Denoising in a sparsifying transform that is learned from the noisy picture itself.

Ravishankar & Bresler, "Learning sparsifying transforms" (TSP 2013) and "l0 sparsifying transform learning with
efficient optimal updates" (TSP 2015), here orthonormal, so that the inverse does not blow noise up.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.classical.each import per_picture
from restore.classical.patches import map_patches, take_patches
from restore.classical.transforms import dct_matrix
from restore.convolve import pad


def learn_transform(patches: Tensor, *, threshold: float, rounds: int = 12) -> Tensor:
    """min over orthonormal W and sparse Z of |W Y - Z|^2 + threshold^2 |Z|_0, starting from the DCT.

    Args:
        patches: ``N x n`` signals Y, n a square number.
        threshold: a coefficient below it is not worth keeping.
        rounds: of coding and update; each is exact, so the objective never rises.

    Returns:
        ``n x n`` W.
    """
    y = patches.double()
    line = dct_matrix(round(y.shape[1] ** 0.5)).double().to(y.device)
    w = torch.kron(line, line)
    for _ in range(rounds):
        z = y @ w.T
        z = torch.where(z.abs() > threshold, z, torch.zeros_like(z))
        q, _, r = torch.linalg.svd(z.T @ y)
        w = q @ r
    return w.to(patches.dtype)


def learned_transform(
    x: Tensor, *, sigma: float | Tensor, side: int = 8, step: int = 1, threshold: float = 2.7
) -> Tensor:
    """Patches are thresholded in a transform learned for each plane of decorrelated colours.

    Args:
        x: ``B x C x H x W``.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each; 0: unchanged.
        side, step: of the patches, pixels.
        threshold: in units of sigma.

    Returns:
        A tensor like ``x``, not clipped, without gradient.

    Raises:
        UsageError: a negative sigma.
    """
    mix = dct_matrix(x.shape[1], x.device)
    made = []
    for picture, s in zip(x.detach(), per_picture(x, sigma, name="sigma"), strict=True):
        if s == 0:
            made.append(picture.clone())
            continue
        y = torch.einsum("ij,jhw->ihw", mix, picture.float())
        planes = []
        for plane in y.split(1):
            known = take_patches(pad(plane[None], side, side)[0], side, 1).flatten(1)
            known = known[:: max(len(known) // 20000, 1)]
            w = learn_transform(known - known.mean(1, keepdim=True), threshold=threshold * s)

            def shrink(p: Tensor, w: Tensor = w, limit: float = threshold * s) -> Tensor:
                flat = p.flatten(1)
                mean = flat.mean(1, keepdim=True)
                z = (flat - mean) @ w.T
                z = torch.where(z.abs() > limit, z, torch.zeros_like(z))
                return (z @ w + mean).view(p.shape)

            planes.append(map_patches(plane, shrink, side=side, step=step))
        made.append(torch.einsum("ij,ihw->jhw", mix, torch.cat(planes)).to(x.dtype))
    return torch.stack(made).contiguous()
