"""StyleGAN2: mapping network and skip generator, with the face that everything using a generator relies on.

Karras et al., CVPR 2020 (configuration F: skip connections of RGB, modulated convolutions). Pictures are in [-1, 1],
grey or RGB, of a side that is a power of two.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from restore.models.stylegan2_layers import EPS, EqualLinear, StyledConv, ToRGB, filter_up

SMALLEST, LARGEST = 32, 1024
# The smallest side of the pyramid: the learnt constant.
BASE = 4


def widths(resolution: int, base: int, most: int) -> dict[int, int]:
    """Channels of every side from 4 to ``resolution``: ``min(base / side, most)``.

    Raises:
        ValueError: a resolution that is no power of two from 32 to 1024.
    """
    if resolution & (resolution - 1) or not SMALLEST <= resolution <= LARGEST:
        raise ValueError(
            f"expected a resolution that is a power of two from {SMALLEST} to {LARGEST}, got {resolution}"
        )
    sides = [BASE << i for i in range(resolution.bit_length() - BASE.bit_length() + 1)]
    return {side: max(min(base // side, most), 1) for side in sides}


class StyleGAN2(nn.Module):
    """The generator.

    Layer ``l`` (a styled convolution) reads ``ws[l]``; the RGB layer of the ``k``-th side reads ``ws[2 k + 1]``,
    which is also the code of the next side's first layer.

    Args:
        resolution: side of the pictures, a power of two from 32 to 1024.
        channels: 1 or 3.
        z_dim, w_dim: lengths of the two latent codes.
        mapping_layers: fully connected layers between them.
        channel_base, channel_max: a side has ``min(channel_base / side, channel_max)`` feature channels
            (32768 and 512 for the published faces at 1024).

    Attributes:
        num_ws: codes that the synthesis reads: ``2 log2(resolution) - 2``.
        w_mean: the mean code, for truncation and as the start of inversions.
    """

    capabilities = frozenset({"z", "w", "noise", "content", "start"})
    w_mean: Tensor

    def __init__(
        self,
        *,
        resolution: int = 32,
        channels: int = 3,
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
        channel_base: int = 16384,
        channel_max: int = 512,
    ) -> None:
        super().__init__()
        self.resolution, self.channels, self.z_dim, self.w_dim = resolution, channels, z_dim, w_dim
        wide = widths(resolution, channel_base, channel_max)
        self.sides, self.widths = list(wide), wide
        self.num_ws = 2 * len(wide)
        sizes = [z_dim, *[w_dim] * mapping_layers]
        self.mapper = nn.Sequential(
            *(EqualLinear(a, b, rate=0.01, activate=True) for a, b in itertools.pairwise(sizes))
        )
        self.constant = nn.Parameter(torch.randn(1, wide[BASE], BASE, BASE))
        self.layers, self.to_rgb = nn.ModuleList(), nn.ModuleList()
        before = wide[BASE]
        for side, width in wide.items():
            if side > BASE:
                self.layers.append(StyledConv(before, width, w_dim, up=True))
            self.layers.append(StyledConv(width, width, w_dim))
            self.to_rgb.append(ToRGB(width, channels, w_dim))
            before = width
        self.register_buffer("w_mean", torch.zeros(w_dim))
        for i, shape in enumerate(self.noise_shapes()):
            self.register_buffer(f"noise{i}", torch.randn(1, *shape))

    @property
    def num_layers(self) -> int:
        """Styled convolutions: one of side 4, two of every larger side."""
        return self.num_ws - 1

    def noise_shapes(self) -> list[tuple[int, int, int]]:
        """(1, side, side) of every layer's noise map."""
        return [(1, self._side(i), self._side(i)) for i in range(self.num_layers)]

    def content_shape(self) -> tuple[int, int, int]:
        """(C, 4, 4) of the learnt constant, and of whatever takes its place."""
        return (self.constant.shape[1], BASE, BASE)

    def feature_shapes(self) -> list[tuple[int, int, int]]:
        """(C, side, side) of every layer's output."""
        return [(self.widths[self._side(i)], self._side(i), self._side(i)) for i in range(self.num_layers)]

    def stored_noises(self) -> list[Tensor]:
        """The fixed noise maps, each ``1 x 1 x side x side``."""
        return [getattr(self, f"noise{i}") for i in range(self.num_layers)]

    def mapping(self, z: Tensor) -> Tensor:
        """``B x z_dim``, N(0, 1), to the intermediate code ``B x w_dim``."""
        return self.mapper(z * torch.rsqrt(z.square().mean(1, keepdim=True) + EPS))

    def synthesis(
        self,
        ws: Tensor,
        noises: Sequence[Tensor] | None = None,
        content: Tensor | None = None,
        start: tuple[int, Tensor] | None = None,
        return_features: bool = False,
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Codes to pictures ``B x channels x resolution x resolution``, about [-1, 1], not clamped.

        Args:
            ws: ``B x num_ws x w_dim``.
            noises: a map per layer, ``B x 1 x side x side`` (or one for all); None: the stored ones.
            content: ``B x C x 4 x 4`` in place of the learnt constant.
            start: (layer, its output ``B x C x side x side``): the layers up to that one are left out, and so
                are the RGB contributions of lower resolutions.
            return_features: also the list of the outputs of the layers that were computed or given.

        Raises:
            ValueError: codes of another shape.
        """
        if ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(
                f"expected codes B x {self.num_ws} x {self.w_dim}, got {' x '.join(map(str, ws.shape))}"
            )
        noises = self.stored_noises() if noises is None else noises
        first, x = (-1, None) if start is None else start
        if x is None:
            x = (self.constant if content is None else content).expand(len(ws), -1, -1, -1)
        features, image = [], None
        for i in range(max(first, 0), self.num_layers):
            if i > first:
                x = self.layers[i](x, ws[:, i], noises[i])
            features.append(x)
            if i % 2 == 0:  # the last layer of its side
                rgb = self.to_rgb[i // 2](x, ws[:, i + 1])
                image = rgb if image is None else filter_up(image) + rgb
        assert image is not None
        return (image, features) if return_features else image

    def lower(
        self,
        ws: Tensor,
        layer: int,
        noises: Sequence[Tensor] | None = None,
        content: Tensor | None = None,
    ) -> Tensor:
        """The output of ``layer`` (what ``start`` takes), computed no further."""
        noises = self.stored_noises() if noises is None else noises
        x = (self.constant if content is None else content).expand(len(ws), -1, -1, -1)
        for i in range(layer + 1):
            x = self.layers[i](x, ws[:, i], noises[i])
        return x

    def forward(self, z: Tensor, *, truncation: float = 1.0) -> Tensor:
        """``B x z_dim`` to pictures; ``truncation`` pulls the codes towards their mean (1: not at all)."""
        w = torch.lerp(self.w_mean.expand(len(z), -1), self.mapping(z), truncation)
        image = self.synthesis(self.repeat(w))
        assert isinstance(image, Tensor)
        return image

    def repeat(self, w: Tensor) -> Tensor:
        """``B x w_dim`` for all layers alike: ``B x num_ws x w_dim``."""
        return w[:, None].expand(-1, self.num_ws, -1)

    def _side(self, layer: int) -> int:
        return self.sides[(layer + 1) // 2]
