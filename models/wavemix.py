"""A network of wavelet blocks, after WaveMix (Jeevan & Sethi 2022; WaveMixSR, Jeevan et al. 2023).

A block mixes places by a Haar transform instead of attention: channels reduced to a quarter, their four sub-bands side
by side at half the resolution, two 1x1 convolutions with GELU, a transposed convolution back, batch normalisation, and
the sum with what came in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec


class WaveMix(nn.Module):
    """``y = x - f(x, conditions)`` for ``B x channels x H x W`` of any size.

    Args:
        width: channels of the blocks, a multiple of 4.
        blocks: how many.
        expand: how many times as many channels between the two 1x1 convolutions.
        conditions: how many numbers per picture enter as constant maps.
        channels: of the picture.
    """

    def __init__(
        self, *, width: int = 64, blocks: int = 4, expand: int = 2, conditions: int = 0, channels: int = 3
    ) -> None:
        super().__init__()
        if width % 4:
            raise ValueError(f"expected a width that is a multiple of 4, got {width}")
        self.multiple = 2
        self.radius = 4 * blocks + 2
        self.head = nn.Conv2d(channels + conditions, width, 3, padding=1)
        self.blocks = nn.Sequential(*(WaveBlock(width, expand) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, channels, 3, padding=1)
        with torch.no_grad():
            self.tail.weight.mul_(0.1)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(task=task, multiple=self.multiple, radius=self.radius, conditions=conditions)

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        return x - self.residual(padded, conditions)[..., :height, :width].to(x.dtype)

    def residual(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """f(x, conditions) for even sides."""
        if conditions is not None:
            x = torch.cat([x, conditions.to(x)[:, :, None, None].expand(-1, -1, *x.shape[-2:])], 1)
        return self.tail(self.blocks(self.head(x)))


class WaveBlock(nn.Module):
    """One wavelet block of ``width`` channels; even sides."""

    def __init__(self, width: int, expand: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width // 4, 1)
        self.mix = nn.Sequential(
            nn.Conv2d(width, expand * width, 1), nn.GELU(), nn.Conv2d(expand * width, width, 1)
        )
        self.up = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm(self.up(self.mix(haar(self.reduce(x)))))


def haar(x: Tensor) -> Tensor:
    """One level of the orthonormal Haar transform: ``B x C x 2h x 2w`` to ``B x 4C x h x w``.

    Sub-bands one after the other: mean, difference across columns, across rows, across both.
    """
    a, b = x[..., 0::2, 0::2], x[..., 0::2, 1::2]
    c, d = x[..., 1::2, 0::2], x[..., 1::2, 1::2]
    return torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2
