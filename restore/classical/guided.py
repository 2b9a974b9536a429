"""Means over windows, and the guided filter (He, Sun & Tang, TPAMI 2013): smooths one picture along another's edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def box_mean(x: Tensor, radius: int) -> Tensor:
    """The mean over ``2 * radius + 1`` squared pixels that lie inside the picture; ``B x C x H x W``."""
    side = 2 * radius + 1

    def mean(y: Tensor) -> Tensor:
        y = F.avg_pool2d(y, (side, 1), 1, (radius, 0), count_include_pad=False)
        return F.avg_pool2d(y, (1, side), 1, (0, radius), count_include_pad=False)

    return mean(x)


def box_min(x: Tensor, radius: int) -> Tensor:
    """The least value within ``radius`` pixels; ``B x C x H x W``."""
    side = 2 * radius + 1
    y = -F.max_pool2d(-x, (side, 1), 1, (radius, 0))
    return -F.max_pool2d(-y, (1, side), 1, (0, radius))


def guided_filter(x: Tensor, guide: Tensor, *, radius: int, eps: float) -> Tensor:
    """Within each window the output is a linear function of ``guide``, fitted to ``x``.

    Args:
        x: ``B x C x H x W``, what is smoothed.
        guide: ``B x 1 x H x W`` grey, or ``B x 3 x H x W``: then the fit is to all three colours.
        radius: of the windows, pixels.
        eps: variance of the guide below which it counts as flat, in squared units of [0, 1].
    """
    x, guide = x.double(), guide.double()
    n = guide.shape[1]
    mean_x, mean_g = box_mean(x, radius), box_mean(guide, radius)
    products = (guide[:, :, None] * guide[:, None]).flatten(1, 2)
    spread = box_mean(products, radius).unflatten(1, (n, n)) - mean_g[:, :, None] * mean_g[:, None]
    spread = spread + eps * torch.eye(n, dtype=x.dtype, device=x.device)[None, :, :, None, None]
    inverse = torch.linalg.inv(spread.permute(0, 3, 4, 1, 2)) if n > 1 else 1 / spread.permute(0, 3, 4, 1, 2)
    made = []
    for c in range(x.shape[1]):
        shared = box_mean(guide * x[:, c : c + 1], radius) - mean_g * mean_x[:, c : c + 1]
        slope = (inverse @ shared.permute(0, 2, 3, 1)[..., None])[..., 0].permute(0, 3, 1, 2)
        offset = mean_x[:, c : c + 1] - (slope * mean_g).sum(1, keepdim=True)
        made.append((box_mean(slope, radius) * guide).sum(1, keepdim=True) + box_mean(offset, radius))
    return torch.cat(made, 1)
