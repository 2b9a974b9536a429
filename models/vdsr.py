"""VDSR: twenty convolutions that learn what bicubic enlargement lacks (Kim et al. 2016).

One network serves every scale in the paper; it works on the enlarged picture and adds its answer to it. Every colour
channel goes through by itself (the paper: luma alone). 20 layers of 64 maps without biases.
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.enlarged import Enlarged, by_channel


class VDSR(Enlarged):
    """``B x C x H x W`` to ``scale`` times the size, any number of channels.

    Args:
        scale: output pixels per input pixel along one side; 1: the picture is of its final size.
        depth: convolutions in all.
        width: maps between them.
    """

    def __init__(self, *, scale: int = 2, depth: int = 20, width: int = 64) -> None:
        if depth < 2:
            raise ValueError(f"expected a depth of at least 2, got {depth}")
        super().__init__(scale=scale, reach=depth)
        sides = [1, *[width] * (depth - 1), 1]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in itertools.pairwise(sides)
        )
        for conv in self.layers:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def inner(self, large: Tensor) -> Tensor:
        return large - self.residual(large).to(large.dtype)

    def residual(self, large: Tensor) -> Tensor:
        """What is to be taken from the enlarged picture."""
        return by_channel(self._layers, large)

    def _layers(self, x: Tensor) -> Tensor:
        for conv in self.layers[:-1]:
            x = F.relu(conv(x))
        return -self.layers[-1](x)
