"""A network of long separable kernels, then a small denoising one (Xu et al. 2014, "Deep convolutional neural network
for image deconvolution").

A pseudo-inverse of a blur has a long response, which a few separable kernels span; what it leaves (noise, ringing,
saturation) is taken out by the convolutions behind. The paper's numbers: 38 kernels of length 121, then 16 x 16 to
512 maps, 1 x 1, and 8 x 8; channels go through one by one.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.enlarged import by_channel
from restore.models.spec import ModelSpec


class DeconvCNN(nn.Module):
    """``B x C x H x W`` of any size in and out, any number of channels.

    Args:
        length: of the separable kernels, odd.
        kernels: how many of them.
        width: maps of the denoising part.
        first, last: sides of its two kernels.
    """

    def __init__(
        self, *, length: int = 121, kernels: int = 38, width: int = 512, first: int = 16, last: int = 8
    ) -> None:
        super().__init__()
        if length % 2 == 0:
            raise ValueError(f"expected an odd length, got {length}")
        self.multiple = 1
        self.radius = length // 2 + first // 2 + last // 2
        # Both sides of an even kernel cannot be equal: one more pixel before than behind.
        self.pads = [(n // 2, (n - 1) // 2) for n in (first, last)]
        self.rows = nn.Conv2d(1, kernels, (1, length))
        self.columns = nn.Conv2d(kernels, kernels, (length, 1), groups=kernels)
        self.denoise = nn.Conv2d(kernels, width, first)
        self.mix = nn.Conv2d(width, width, 1)
        self.answer = nn.Conv2d(width, 1, last)
        for conv in (self.rows, self.columns, self.denoise, self.mix, self.answer):
            nn.init.xavier_normal_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.answer.weight)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(task=task, radius=self.radius, conditions=conditions)

    def forward(self, x: Tensor) -> Tensor:
        return x - self.residual(x).to(x.dtype)

    def residual(self, x: Tensor) -> Tensor:
        """What is to be taken from the picture."""
        return by_channel(self._layers, x)

    def _layers(self, x: Tensor) -> Tensor:
        half = self.rows.kernel_size[1] // 2
        h = F.tanh(self.rows(F.pad(x - 0.5, (half, half, 0, 0), mode="replicate")))
        h = F.tanh(self.columns(F.pad(h, (0, 0, half, half), mode="replicate")))
        for pad, conv in zip(self.pads, (self.denoise, self.answer), strict=True):
            h = F.pad(h, (*pad, *pad), mode="replicate")
            h = conv(h) if conv is self.answer else F.relu(self.mix(F.relu(conv(h))))
        return h
