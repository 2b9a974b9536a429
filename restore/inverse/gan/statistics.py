"""What a generator's intermediate codes look like: mean, spread, and the axes along which they are Gaussian.

The last leaky ReLU of the mapping is undone by one of slope 5; what comes out is nearly normal, and its principal
axes whiten it (Zhu et al., "Improved StyleGAN Embedding", 2020: the space P_N; PULSE's Gaussianisation is the same).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.models.stylegan2 import StyleGAN2


@dataclass(frozen=True)
class CodeStatistics:
    """Of codes w = mapping(z), z ~ N(0, I).

    Attributes:
        mean, std: per dimension, ``w_dim``.
        radius: root mean squared distance of a code from the mean (the projector's ``w_std``).
        centre, basis, spread: mean, principal axes (columns) and standard deviations of the unbent codes.
    """

    mean: Tensor
    std: Tensor
    radius: float
    centre: Tensor
    basis: Tensor
    spread: Tensor

    def whiten(self, w: Tensor) -> Tensor:
        """Codes ``... x w_dim`` to nearly independent N(0, 1) coordinates."""
        return (unbend(w) - self.centre) @ self.basis / self.spread

    def to(self, device: torch.device) -> CodeStatistics:
        """The same on another device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)


def unbend(w: Tensor) -> Tensor:
    """Leaky ReLU of slope 5: undoes the one of slope 0.2, up to the gain."""
    return torch.where(w >= 0, w, 5 * w)


@torch.no_grad()
def code_statistics(net: StyleGAN2, *, count: int = 100_000, seed: int = 0) -> CodeStatistics:
    """From ``count`` codes (the papers use a million), always the same for a seed; sums in float64."""
    g = draw.generator(draw.child_seed(seed, "code statistics"))
    sums = [torch.zeros(net.w_dim, dtype=torch.float64) for _ in range(3)]
    cross = torch.zeros(net.w_dim, net.w_dim, dtype=torch.float64)
    done = 0
    while done < count:
        z = torch.randn(min(2000, count - done), net.z_dim, generator=g)
        w = net.mapping(z.to(net.constant)).cpu().double()
        u = unbend(w)
        for total, part in zip(sums, (w, w.square(), u), strict=True):
            total += part.sum(0)
        cross += u.T @ u
        done += len(z)
    mean, centre = sums[0] / count, sums[2] / count
    variance = (sums[1] / count - mean.square()).clamp(min=0)
    values, basis = torch.linalg.eigh(cross / count - torch.outer(centre, centre))
    # Directions that the mapping does not use would be blown up without a floor.
    spread = values.clamp(min=float(values.max()) * 1e-8).sqrt()
    return CodeStatistics(
        mean.float(),
        variance.sqrt().float(),
        float(variance.sum().sqrt()),
        centre.float(),
        basis.float(),
        spread.float(),
    )
