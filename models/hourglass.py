"""An hourglass with skips, never trained but on the one picture it is to become (Ulyanov et al. 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Hourglass(nn.Module):
    """Noise in, picture out; its shape alone prefers photographs to noise.

    Every level halves the resolution by a strided convolution and comes back by bilinear interpolation; a few channels
    go straight across. Narrow at full resolution and wide below, which is what is cheap on a CPU.

    Args:
        entry: channels of the noise.
        widths: channels per level.
        across: channels of each skip.
        channels: colour channels of the picture.

    ``forward(z)`` takes ``B x entry x H x W``, both sides multiples of ``multiple``, and returns
    ``B x channels x H x W`` in (0, 1).
    """

    def __init__(
        self,
        *,
        entry: int = 16,
        widths: tuple[int, ...] = (32, 64, 96, 128, 128),
        across: int = 4,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)
        before = (entry, *widths[:-1])
        after = (*widths[1:], widths[-1])
        self.skip = nn.ModuleList(_layer(b, across, 1) for b in before)
        self.down = nn.ModuleList(
            nn.Sequential(_layer(b, w, 3, stride=2), _layer(w, w, 3))
            for b, w in zip(before, widths, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(a + across), _layer(a + across, w, 3), _layer(w, w, 1))
            for a, w in zip(after, widths, strict=True)
        )
        self.tail = nn.Conv2d(widths[0], channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        skips = []
        for skip, down in zip(self.skip, self.down, strict=True):
            skips.append(skip(z))
            z = down(z)
        for up in reversed(self.up):
            z = F.interpolate(z, scale_factor=2, mode="bilinear", align_corners=False)
            z = up(torch.cat([z, skips.pop()], 1))
        return torch.sigmoid(self.tail(z))


def _layer(before: int, after: int, side: int, *, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, after, side, stride=stride, padding=side // 2, padding_mode="reflect")
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.2))
