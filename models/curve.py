"""CurveNet: light as a curve for every pixel, applied again and again (Zero-DCE, Guo et al., CVPR 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec


class CurveNet(nn.Module):
    """Picture in, brighter picture out: ``x <- x + a_n x (1 - x)`` for n = 1 .. iterations.

    Seven 3x3 convolutions, the last three of which also see the third, second and first (79,416 parameters at a
    width of 32). With |a| <= 1 (tanh) the curve is monotone and keeps [0, 1].

    Args:
        width: channels.
        iterations: how often the curve is applied, each time with its own map of ``a`` for every colour.
        shrink: the maps are computed at 1 / shrink of the resolution and enlarged.

    ``forward(x)`` takes ``B x 3 x H x W`` in [0, 1] of any size.
    """

    def __init__(self, *, width: int = 32, iterations: int = 8, shrink: int = 1) -> None:
        super().__init__()
        if min(width, iterations, shrink) < 1:
            raise ValueError("expected width, iterations and shrink of 1 or more")
        self.shrink = shrink
        inputs = (3, width, width, width, 2 * width, 2 * width)
        self.body = nn.ModuleList(nn.Conv2d(n, width, 3, padding=1) for n in inputs)
        self.last = nn.Conv2d(2 * width, 3 * iterations, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; seven 3x3 layers reach seven pixels of their grid."""
        radius = 7 if self.shrink == 1 else 9 * self.shrink
        return ModelSpec(task=task, multiple=self.shrink, radius=radius, conditions=conditions)

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(x, self.maps(x))

    def maps(self, x: Tensor) -> Tensor:
        """``B x (3 iterations) x H x W`` in [-1, 1]."""
        height, width = x.shape[-2:]
        h = x
        if self.shrink > 1:
            h = F.pad(x, (0, -width % self.shrink, 0, -height % self.shrink), mode="replicate")
            full = h.shape[-2:]
            h = F.avg_pool2d(h, self.shrink)
        kept: list[Tensor] = []
        for layer in self.body:
            h = F.relu(layer(h))
            kept.append(h)
            if len(kept) in (4, 5):  # beside the fourth the third, beside the fifth the second
                h = torch.cat([kept[6 - len(kept)], h], 1)
        a = torch.tanh(self.last(torch.cat([kept[0], h], 1)).float())
        if self.shrink > 1:
            a = F.interpolate(a, size=full, mode="bilinear", align_corners=False)[..., :height, :width]
        return a

    @staticmethod
    def bend(x: Tensor, maps: Tensor) -> Tensor:
        """The curve with ``maps`` applied to ``x``."""
        for a in maps.to(x.dtype).split(3, 1):
            x = x + a * x * (1 - x)
        return x
