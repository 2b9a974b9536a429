"""NAFNet: a U-Net of blocks without activation functions (Chen et al. 2022, "Simple baselines for image restoration").

A block is layer normalisation, a 1x1 convolution that doubles the channels, a 3x3 one per channel, a gate (half of the
channels times the other half), a weight for every channel from its mean over the whole picture, and a 1x1
convolution; then the same once more without the 3x3 and the weight. Because of that mean the picture should not be cut
into windows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec


class NAFNet(nn.Module):
    """``y = x - f(x, conditions)`` for ``B x channels x H x W`` of any size.

    Args:
        width: channels at full resolution; doubled at every level down.
        encoders, decoders: blocks per level.
        middle: blocks at the lowest resolution.
        conditions: how many numbers per picture enter as constant maps (the paper: none).
        channels: of the picture.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        encoders: tuple[int, ...] = (1, 1, 1, 28),
        middle: int = 1,
        decoders: tuple[int, ...] = (1, 1, 1, 1),
        conditions: int = 0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if len(encoders) != len(decoders):
            raise ValueError(f"expected as many decoders as encoders, got {decoders} and {encoders}")
        levels = len(encoders)
        sides = [width * 2**i for i in range(levels + 1)]
        self.multiple = 2**levels
        self.radius = _radius(encoders, middle, decoders)
        self.intro = nn.Conv2d(channels + conditions, width, 3, padding=1)
        self.encoders = nn.ModuleList(_stack(c, n) for c, n in zip(sides[:-1], encoders, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in sides[:-1])
        self.middle = _stack(sides[-1], middle)
        self.ups = nn.ModuleList(nn.Conv2d(2 * c, 4 * c, 1, bias=False) for c in reversed(sides[:-1]))
        self.decoders = nn.ModuleList(
            _stack(c, n) for c, n in zip(reversed(sides[:-1]), decoders, strict=True)
        )
        self.ending = nn.Conv2d(width, channels, 3, padding=1)
        with torch.no_grad():
            self.ending.weight.mul_(0.1)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(
            task=task,
            multiple=self.multiple,
            radius=self.radius,
            conditions=conditions,
            tiling="discouraged",
        )

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        return x - self.residual(padded, conditions)[..., :height, :width].to(x.dtype)

    def residual(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """f(x, conditions) for sides that are multiples of ``self.multiple``."""
        if conditions is not None:
            x = torch.cat([x, conditions.to(x)[:, :, None, None].expand(-1, -1, *x.shape[-2:])], 1)
        h = self.intro(x)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            h = encoder(h)
            skips.append(h)
            h = down(h)
        h = self.middle(h)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            h = decoder(F.pixel_shuffle(up(h), 2) + skips.pop())
        return -self.ending(h)


class Block(nn.Module):
    """One NAFNet block of ``width`` channels; ``beta`` and ``gamma`` start at 0, so that it starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.conv1 = nn.Conv2d(width, 2 * width, 1)
        self.conv2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attention = nn.Conv2d(width, width, 1)
        self.conv3 = nn.Conv2d(width, width, 1)
        self.conv4 = nn.Conv2d(width, 2 * width, 1)
        self.conv5 = nn.Conv2d(width, width, 1)
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = _gate(self.conv2(self.conv1(self.norm1(x))))
        h = self.conv3(h * self.attention(h.mean((2, 3), keepdim=True)))
        x = x + h * self.beta
        h = self.conv5(_gate(self.conv4(self.norm2(x))))
        return x + h * self.gamma


class ChannelNorm(nn.Module):
    """Layer normalisation of every pixel over its channels, in float32."""

    def __init__(self, width: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        h = x.float()
        h = h - h.mean(1, keepdim=True)
        h = h * torch.rsqrt(h.square().mean(1, keepdim=True) + self.eps)
        return (h * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def _gate(x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    return a * b


def _stack(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))


def _radius(encoders: tuple[int, ...], middle: int, decoders: tuple[int, ...]) -> int:
    """How far convolutions reach (the means reach everywhere): one pixel of its level's grid for every block."""
    levels = len(encoders)
    down = sum(n * 2**i for i, n in enumerate(encoders))
    up = sum(n * 2**i for i, n in enumerate(reversed(decoders)))
    return 2 + down + up + middle * 2**levels + 2**levels
