"""Feature-pyramid generator over any backbone (DeblurGAN-v2, Kupyn et al., ICCV 2019)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec

MULTIPLE = 32
# Upper bounds of the reach of a pixel, in pixels of the coarsest grid: through the backbone and the pyramid.
REACH = {"strided": 9, "mobilenet-v2": 16, "efficientnet-lite0": 24}


class StridedBackbone(nn.Module):
    """Five stages of stride 2, each a strided and a plain 3x3 convolution: small, without pretraining."""

    def __init__(self, widths: tuple[int, ...] = (16, 24, 32, 64, 96)) -> None:
        super().__init__()
        if len(widths) != 5:
            raise ValueError(f"expected five widths, got {widths}")
        self.widths = tuple(widths)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(b, b, 3, padding=1),
                nn.ReLU(),
            )
            for a, b in itertools.pairwise((3, *widths))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class SplitBackbone(nn.Module):
    """A classifier's blocks cut where the resolution halves; ``starts`` says which block begins stages 2 to 5."""

    def __init__(self, blocks: nn.Sequential, starts: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = widths
        cuts = itertools.pairwise((0, *starts, len(blocks)))
        self.stages = nn.ModuleList(blocks[a:b] for a, b in cuts)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def _mobilenet_v2() -> SplitBackbone:
    import torchvision

    blocks = torchvision.models.mobilenet_v2().features[:18]
    return SplitBackbone(blocks, (2, 4, 7, 14), (16, 24, 32, 96, 320))


def _efficientnet_lite0() -> SplitBackbone:
    from restore.models.features import efficientnet_lite0

    net: Any = efficientnet_lite0()
    # Inside the network for good: its convolutions are padded for 224 px, which is right at every multiple of 32.
    stem = nn.Sequential(net._conv_stem, net._bn0, nn.ReLU6())
    blocks = nn.Sequential(stem, *net._blocks).requires_grad_(True)
    return SplitBackbone(blocks, (2, 4, 6, 12), (16, 24, 40, 112, 320))


BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "strided": StridedBackbone,
    "mobilenet-v2": _mobilenet_v2,
    "efficientnet-lite0": _efficientnet_lite0,
}


class PyramidGenerator(nn.Module):
    """Picture in, sharper picture out: ``y = clamp(x + tanh(f(x)), -1, 1)`` in [-1, 1].

    Five maps at strides 2 to 32; lateral 1x1 convolutions, sums from coarse to fine, each smoothed; four heads meet
    at stride 4.

    Args:
        backbone: ``strided``, ``mobilenet-v2`` (its weights come from a weight file or from training) or
            ``efficientnet-lite0`` (starts from ImageNet weights; needs the packages of the extra ``features``).
        pyramid: channels of the pyramid (half at stride 2); 256 as published.
        heads: channels of each head; 128 as published.
        norm: ``instance`` (published, no parameters; sees the whole picture) or ``none`` (tiles equal the whole).
        widths: of the strided backbone.

    ``forward(x)`` takes ``B x 3 x H x W`` in [0, 1] of any size.
    """

    def __init__(
        self,
        *,
        backbone: str = "mobilenet-v2",
        pyramid: int = 256,
        heads: int = 128,
        norm: str = "instance",
        widths: tuple[int, ...] = (16, 24, 32, 64, 96),
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES or norm not in ("instance", "none"):
            raise ValueError(f"expected a backbone of {', '.join(BACKBONES)} and norm instance or none")
        self.norm, self.reach = norm, backbone
        self.backbone = BACKBONES[backbone](*([widths] if backbone == "strided" else []))
        c1, *coarse = self.backbone.widths  # type: ignore[misc]
        self.lateral1 = nn.Conv2d(int(c1), pyramid // 2, 1, bias=False)
        self.lateral = nn.ModuleList(nn.Conv2d(int(c), pyramid, 1, bias=False) for c in coarse)
        self.smooth = nn.ModuleList(_smooth(pyramid, pyramid, norm) for _ in range(3))
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(pyramid, heads, 3, padding=1, bias=False),
                nn.ReLU(),
                nn.Conv2d(heads, heads, 3, padding=1, bias=False),
                nn.ReLU(),
            )
            for _ in range(4)
        )
        self.merge4 = _smooth(4 * heads, heads, norm)
        self.to2 = nn.Conv2d(heads, pyramid // 2, 1, bias=False) if pyramid // 2 != heads else nn.Identity()
        self.merge2 = _smooth(pyramid // 2, max(8, heads // 2), norm)
        self.last = nn.Conv2d(max(8, heads // 2), 3, 3, padding=1)
        nn.init.normal_(self.last.weight, 0.0, 1e-3)  # starts near identity
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(
            task=task,
            multiple=MULTIPLE,
            radius=REACH[self.reach] * MULTIPLE,
            conditions=conditions,
            tiling="supported" if self.norm == "none" else "discouraged",
        )

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        down, right = -height % MULTIPLE, -width % MULTIPLE
        mode = "reflect" if down < height and right < width else "replicate"
        padded = F.pad(2 * x - 1, (0, right, 0, down), mode=mode)
        change = torch.tanh(self._change(padded)[..., :height, :width].to(x.dtype))
        return 0.5 * ((2 * x - 1 + change).clamp(-1, 1) + 1)

    def _change(self, x: Tensor) -> Tensor:
        fine, *maps = self.backbone(x)
        laterals = [conv(m) for conv, m in zip(self.lateral, maps, strict=True)]
        levels = [laterals[-1]]
        for lateral, smooth in zip(reversed(laterals[:-1]), reversed(self.smooth), strict=True):
            levels.append(smooth(lateral + F.interpolate(levels[-1], scale_factor=2, mode="nearest")))
        size = levels[-1].shape[-2:]
        seen = [
            F.interpolate(head(level), size=size, mode="nearest")
            for head, level in zip(self.heads, levels, strict=True)
        ]
        h = self.merge4(torch.cat(seen, 1))
        h = self.to2(F.interpolate(h, scale_factor=2, mode="nearest")) + self.lateral1(fine)
        h = self.merge2(h)
        return self.last(F.interpolate(h, scale_factor=2, mode="nearest"))


def _smooth(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1)]
    if norm == "instance":
        layers.append(nn.InstanceNorm2d(outputs))
    return nn.Sequential(*layers, nn.ReLU())
