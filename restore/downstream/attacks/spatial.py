"""Rotation and translation as an attack (Engstrom et al., ICML 2019): a grid, so that it needs no gradient."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.downstream.attacks.gradient import Model


def spatial(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    degrees: float = 30.0,
    shift: float = 0.1,
    angles: int = 7,
    shifts: int = 5,
) -> tuple[Tensor, Tensor]:
    """Per picture the worst of ``angles x shifts x shifts`` rotations and translations.

    Args:
        degrees: largest rotation to either side.
        shift: largest translation, share of the side.

    Returns:
        (pictures ``B x C x H x W``, B margins by which the right class loses; below 0 it still wins).
    """
    best = x.clone()
    worst = torch.full((len(x),), float("-inf"))
    for angle in torch.linspace(-degrees, degrees, angles).tolist():
        for down in torch.linspace(-shift, shift, shifts).tolist():
            for right in torch.linspace(-shift, shift, shifts).tolist():
                moved = turn(x, degrees=angle, down=down, right=right)
                with torch.no_grad():
                    logits = model(moved)
                own = logits.gather(1, labels[:, None])[:, 0]
                other = logits.scatter(1, labels[:, None], float("-inf")).max(1).values
                better = (other - own) > worst
                best[better], worst[better] = moved[better], (other - own)[better]
    return best, worst


def turn(x: Tensor, *, degrees: float, down: float, right: float) -> Tensor:
    """Pictures rotated about their middle and moved by shares of their side; outside is 0."""
    a = math.radians(degrees)
    matrix = x.new_tensor(
        [[math.cos(a), -math.sin(a), -2 * right], [math.sin(a), math.cos(a), -2 * down]]
    ).expand(len(x), 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
