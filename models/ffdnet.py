"""FFDNet: a chain at half the resolution, told the noise level by a map (Zhang et al. 2018).

Four sub-pictures and one map of the level go through convolutions with ReLU; the answer is put together from four
sub-pictures again. Unlike DnCNN it gives the picture itself, not the noise. Colour: 12 layers of 96 channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec


class FFDNet(nn.Module):
    """``B x channels x H x W`` of any size and ``B x 1`` standard deviations in units of [0, 1].

    Args:
        depth: convolutions in all.
        width: channels between them.
        channels: of the picture.
    """

    def __init__(self, *, depth: int = 12, width: int = 96, channels: int = 3) -> None:
        super().__init__()
        if depth < 3:
            raise ValueError(f"expected a depth of at least 3, got {depth}")
        self.multiple, self.radius = 2, 2 * depth + 2
        self.head = nn.Conv2d(4 * channels + 1, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth - 2))
        self.tail = nn.Conv2d(width, 4 * channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight, gain=nn.init.calculate_gain("relu"))
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(
            task=task,
            multiple=self.multiple,
            radius=self.radius,
            conditions=conditions,
            # The picture itself goes through the layers: half precision would round it.
            precisions=("fp32",),
        )

    def forward(self, x: Tensor, conditions: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        h = F.pixel_unshuffle(padded, 2)
        level = conditions.to(h)[:, :1, None, None].expand(-1, -1, *h.shape[-2:])
        h = F.relu(self.head(torch.cat([h, level], 1)))
        for conv in self.body:
            h = F.relu(conv(h))
        return F.pixel_shuffle(self.tail(h), 2)[..., :height, :width].to(x.dtype)
