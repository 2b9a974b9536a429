"""NoiseLevel: how strong the noise of a picture is, so that nobody has to know sigma.

A small convolutional network looks at windows of a few pixels' reach and says for each place a level and how much
the place is to be trusted (flat places speak clearly, texture does not); the answer is the weighted mean. The
weights let it tell grain from texture where classical estimators (smallest-eigenvalue or wavelet-MAD) cannot.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NoiseLevel(nn.Module):
    """``B x 3 x H x W`` (unclipped, any size) to ``B`` standard deviations in units of [0, 1].

    Args:
        width: channels at half resolution; doubled at a quarter.
        depth: 3x3 layers at a quarter of the resolution.
    """

    def __init__(self, *, width: int = 32, depth: int = 3, channels: int = 3) -> None:
        super().__init__()
        self.multiple = 4
        layers: list[nn.Module] = [nn.Conv2d(channels * 4, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(width, 2 * width, 2, stride=2), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.tail = nn.Conv2d(2 * width, 2, 1)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        total, weight = self.sums(x)
        level = total / weight
        return level if self.training else level.clamp(min=0)

    def sums(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted sum and sum of weights (B each), which add up over windows of one picture."""
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        out = self.tail(self.body(F.pixel_unshuffle(padded, 2))).float()
        # Linear, so that no place can fall silent while training; the mean is clamped at 0.
        level, trust = out[:, 0] * 0.1, torch.sigmoid(out[:, 1]) + 1e-4
        return (level * trust).sum((1, 2)), trust.sum((1, 2))
