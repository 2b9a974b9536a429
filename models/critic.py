"""Patch critics: fully convolutional networks that judge every patch of a picture (PatchGAN, Isola et al. 2017)."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

NORMS = ("none", "instance")


class PatchCritic(nn.Module):
    """``B x 3 x H x W`` in [0, 1] to raw scores ``B x 1 x h x w``, one per patch.

    Kernels of 4, padding 2: a layer of stride 2 maps n to n // 2 + 1, one of stride 1 to n + 1. EnlightenGAN's
    global critic is ``PatchCritic(n_layers=5)``, its local one ``PatchCritic(n_layers=4)``; DeblurGAN-v2 normalises.

    Args:
        n_layers: layers of stride 2; the receptive field is 34, 70, 142, 286 px for 2, 3, 4, 5.
        ndf: channels of the first; doubled by each up to eightfold.
        norm: ``none`` or ``instance`` (without parameters).
    """

    def __init__(self, *, n_layers: int = 5, ndf: int = 64, norm: str = "none") -> None:
        super().__init__()
        if norm not in NORMS or n_layers < 1 or ndf < 1:
            raise ValueError(f"expected n_layers and ndf of 1 or more and a norm of {NORMS}, got {norm!r}")
        widths = [3, *(ndf * min(2**n, 8) for n in range(n_layers + 1))]
        layers: list[nn.Module] = []
        for n, (a, b) in enumerate(itertools.pairwise(widths)):
            layers.append(nn.Conv2d(a, b, 4, stride=2 if n < n_layers else 1, padding=2))
            if norm == "instance" and n:
                layers.append(nn.InstanceNorm2d(b))
            layers.append(nn.LeakyReLU(0.2))
        self.body = nn.Sequential(*layers)
        self.score = nn.Conv2d(widths[-1], 1, 4, padding=2)
        self.receptive_field = _receptive_field(n_layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.body(2 * x - 1))


def _receptive_field(n_layers: int) -> int:
    field = 1
    for stride in (1, 1, *[2] * n_layers):  # from the score back to the picture
        field = (field - 1) * stride + 4
    return field
