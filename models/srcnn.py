"""SRCNN: three convolutions on an enlarged picture (Dong et al. 2014, 2016): patches, a mapping, a reconstruction.

The picture is enlarged by MATLAB's bicubic first, as the paper does, and every colour channel goes through the
network by itself (the paper restores luma alone and leaves the chroma bicubic). 9-5-5 with 64 and 32 maps.
"""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.enlarged import Enlarged, by_channel
from restore.models.spec import ModelSpec


class SRCNN(Enlarged):
    """``B x C x H x W`` to ``scale`` times the size, any number of channels.

    Args:
        scale: output pixels per input pixel along one side; 1: the picture is of its final size.
        kernels: sides of the three kernels, odd.
        widths: maps between them.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        kernels: tuple[int, ...] = (9, 5, 5),
        widths: tuple[int, ...] = (64, 32),
    ) -> None:
        if len(kernels) != 3 or len(widths) != 2 or any(k % 2 == 0 for k in kernels):
            raise ValueError(f"expected three odd kernels and two widths, got {kernels} and {widths}")
        super().__init__(scale=scale, reach=sum(k // 2 for k in kernels))
        self.patches = nn.Conv2d(1, widths[0], kernels[0], padding=kernels[0] // 2)
        self.mapping = nn.Conv2d(widths[0], widths[1], kernels[1], padding=kernels[1] // 2)
        self.join = nn.Conv2d(widths[1], 1, kernels[2], padding=kernels[2] // 2)
        for conv in (self.patches, self.mapping, self.join):
            # The paper's 0.001 needs its 10^8 steps; the same distributions at a scale that a short run can use.
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face: float32 alone, because the picture itself goes through the layers."""
        return replace(super().spec(task=task, conditions=conditions), precisions=("fp32",))

    def inner(self, large: Tensor) -> Tensor:
        return by_channel(self._layers, large)

    def _layers(self, x: Tensor) -> Tensor:
        return self.join(F.relu(self.mapping(F.relu(self.patches(x)))))
