"""The discrete gradient with free borders, and its negative adjoint."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient(x: Tensor) -> Tensor:
    """Differences to the next column and the next row, ``2 x B x C x H x W``; 0 at the last ones."""
    g = torch.zeros((2, *x.shape), dtype=x.dtype, device=x.device)
    torch.sub(x[..., 1:], x[..., :-1], out=g[0, ..., :-1])
    torch.sub(x[..., 1:, :], x[..., :-1, :], out=g[1, ..., :-1, :])
    return g


def divergence(g: Tensor) -> Tensor:
    """-gradient': ``<gradient(x), g> = -<x, divergence(g)>``."""
    across, down = g[0], g[1]
    made = torch.zeros_like(across)
    made[..., :-1] += across[..., :-1]
    made[..., 1:] -= across[..., :-1]
    made[..., :-1, :] += down[..., :-1, :]
    made[..., 1:, :] -= down[..., :-1, :]
    return made
