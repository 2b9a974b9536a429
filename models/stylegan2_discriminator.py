"""The discriminator of StyleGAN2 (Karras et al., CVPR 2020, section 4.1: residual blocks)."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from restore.models.stylegan2 import BASE, widths
from restore.models.stylegan2_layers import EPS, GAIN, EqualConv, EqualLinear


class Block(nn.Module):
    """Two convolutions, the second at half the resolution, and a 1 x 1 convolution around them."""

    def __init__(self, inputs: int, outputs: int, *, residual: bool) -> None:
        super().__init__()
        # The sum of both ways is divided by the square root of 2, each way by itself.
        share = 1 / math.sqrt(2) if residual else 1.0
        self.conv0 = EqualConv(inputs, inputs, 3, activate=True, gain=GAIN)
        self.conv1 = EqualConv(inputs, outputs, 3, down=True, activate=True, gain=GAIN * share)
        self.skip = EqualConv(inputs, outputs, 1, down=True, bias=False, gain=share) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.conv0(x))
        return y if self.skip is None else y + self.skip(x)


class StyleGAN2Discriminator(nn.Module):
    """Pictures ``B x channels x resolution x resolution`` in [-1, 1] to B logits: how real they look.

    Args:
        residual: with the skips; the published CIFAR-10 setting goes without.
        group: samples among which the minibatch standard deviation is taken (Karras et al. 2018, section 3).
        others: as for the generator.
    """

    def __init__(
        self,
        *,
        resolution: int = 32,
        channels: int = 3,
        channel_base: int = 16384,
        channel_max: int = 512,
        residual: bool = True,
        group: int = 4,
    ) -> None:
        super().__init__()
        wide = widths(resolution, channel_base, channel_max)
        sides = sorted(wide, reverse=True)
        self.group = group
        self.from_rgb = EqualConv(channels, wide[resolution], 1, activate=True, gain=GAIN)
        self.blocks = nn.Sequential(
            *(Block(wide[a], wide[b], residual=residual) for a, b in itertools.pairwise(sides))
        )
        self.conv = EqualConv(wide[BASE] + 1, wide[BASE], 3, activate=True, gain=GAIN)
        self.dense = EqualLinear(wide[BASE] * BASE**2, wide[BASE], activate=True)
        self.out = EqualLinear(wide[BASE], 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.from_rgb(x))
        x = torch.cat([x, spread_over_batch(x, self.group)], 1)
        return self.out(self.dense(self.conv(x).flatten(1)))[:, 0]


def spread_over_batch(x: Tensor, group: int) -> Tensor:
    """One map per sample: the standard deviation among its group, averaged over features and places.

    Sample ``i`` belongs with ``i + m``, ``i + 2 m`` ... where ``m`` is the number of groups; a batch that cannot be
    divided by ``group`` is one group.
    """
    size = group if len(x) % group == 0 else len(x)
    grouped = x.view(size, len(x) // size, *x.shape[1:])
    spread = torch.sqrt(grouped.var(0, unbiased=False) + EPS).mean((1, 2, 3))
    return spread.view(-1, 1, 1, 1).repeat(size, 1, 1, 1).expand(-1, -1, *x.shape[-2:])
