"""Encoders for a small generator: pictures to a code per layer, or to the features of a layer.

The plan of pSp (Richardson et al., CVPR 2021): a pyramid of three scales, coarse layers read the coarse map, fine
layers the fine one; without its pretrained face backbone and identity loss. The base encoder follows BDInvert (Kang
et al., ICCV 2021). Groups are normalised instead of batches, so that a picture's code does not depend on others.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip; ``stride`` 2 halves the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.norm1, self.norm2 = nn.GroupNorm(8, outputs), nn.GroupNorm(8, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.leaky_relu(self.norm1(self.conv1(x)), 0.2)))
        return F.leaky_relu(y + self.skip(x), 0.2)


class StyleEncoder(nn.Module):
    """``B x channels x R x R`` in [-1, 1] to ``B x num_ws x w_dim`` offsets from the mean code.

    Args:
        width: channels of the finest map; doubled at each of the two coarser ones, a multiple of 8.
    """

    def __init__(self, *, channels: int, num_ws: int, w_dim: int, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        widths = [width, 2 * width, 4 * width]
        self.down = nn.ModuleList(
            Residual(a, b, 2) for a, b in zip([width, *widths[:-1]], widths, strict=True)
        )
        self.side = nn.ModuleList(nn.Conv2d(w, 4 * width, 1) for w in widths)
        self.heads = nn.ModuleList(nn.Linear(4 * width * 16, w_dim) for _ in range(num_ws))
        for head in self.heads:
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
            nn.init.normal_(head.weight, std=0.01)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x, maps = self.stem(x), []
        for down in self.down:
            x = down(x)
            maps.append(x)
        top = self.side[2](maps[2])
        middle = self.side[1](maps[1]) + F.interpolate(top, scale_factor=2.0, mode="nearest")
        fine = self.side[0](maps[0]) + F.interpolate(middle, scale_factor=2.0, mode="nearest")
        scales = [F.adaptive_avg_pool2d(m, 4).flatten(1) for m in (top, middle, fine)]
        count = len(self.heads)
        # pSp's split of 18 layers: 3 coarse, 4 middle, the rest fine.
        return torch.stack(
            [
                head(scales[0 if i < count * 3 / 18 else 1 if i < count * 7 / 18 else 2])
                for i, head in enumerate(self.heads)
            ],
            1,
        )


class BaseEncoder(nn.Module):
    """``B x channels x R x R`` to the features ``shape`` (C, side, side) of one of the generator's layers."""

    def __init__(
        self, *, channels: int, shape: tuple[int, int, int], resolution: int, width: int = 32
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        side = resolution
        while side > shape[1]:
            layers.append(Residual(width, 2 * width, 2))
            side, width = side // 2, 2 * width
        layers += [
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, shape[0], 3, padding=1),
        ]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)
