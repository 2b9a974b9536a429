"""SRNet: super-resolution by residual blocks at the low resolution.

EDSR's baseline (Lim et al. 2017: residual blocks without normalisation, one long skip, pixel-shuffle at the end) with
fewer, wider blocks, because on CPUs wide dense convolutions cost the least per multiplication, and with a bicubic
enlargement beside the network, so that it learns the missing detail alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.resunet import ResidualBlock, shrink
from restore.models.spec import ModelSpec


class SRNet(nn.Module):
    """Picture in, picture ``scale`` times as large out: ``y = bicubic(x) + f(x)``.

    Args:
        scale: output pixels per input pixel along one side.
        width: channels of the blocks.
        blocks: residual blocks, two 3x3 convolutions each.
        channels: colour channels of the picture.

    ``forward(x)`` takes ``B x channels x H x W`` of any size. The enlargement is computed in float32 at least:
    autocast reaches only ``f``.
    """

    def __init__(self, *, scale: int = 2, width: int = 96, blocks: int = 10, channels: int = 3) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"expected a scale of 1 or more, got {scale}")
        self.scale = scale
        self.multiple = 1
        # Head, blocks, the convolution that ends the long skip, tail; bicubic reaches two pixels, less than these.
        self.radius = 2 * blocks + 3
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.join = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, channels * scale**2, 3, padding=1)
        shrink(self.tail)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(
            task=task, scale=self.scale, multiple=self.multiple, radius=self.radius, conditions=conditions
        )

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of a network of another scale as weights of this one.

        Everything works at the low resolution but the tail, which starts anew where its shape differs.
        """
        own = self.state_dict()
        tail = state.get("tail.weight")
        if tail is None or tail.shape == own["tail.weight"].shape:
            return dict(state)
        return {k: own[k] if k.startswith("tail.") else v for k, v in state.items()}

    def base(self, x: Tensor) -> Tensor:
        """What :meth:`residual` is taken from: the bicubic enlargement."""
        return enlarge(x, self.scale)

    def residual(self, x: Tensor) -> Tensor:
        """``base(x) - y``: all that an engine of low precision may compute, because it is small."""
        h = self.head(x)
        return -F.pixel_shuffle(self.tail(h + self.join(self.body(h))), self.scale)

    def forward(self, x: Tensor) -> Tensor:
        large = self.base(x)
        return large - self.residual(x).to(large.dtype)


def enlarge(x: Tensor, scale: int) -> Tensor:
    """Bicubic (Keys, a = -0.75: the one that every engine has), ``scale`` times as large, unclipped."""
    return F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
