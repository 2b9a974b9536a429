"""DnCNN: a plain chain of convolutions that learns the noise (Zhang et al. 2017).

A convolution with ReLU, then convolutions with batch normalisation and ReLU, then one convolution; the answer is the
picture without what the chain sees as noise. Colour "blind" DnCNN has 20 layers of 64 channels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec


class DnCNN(nn.Module):
    """``B x channels x H x W`` of any size in and out; it is told nothing.

    Args:
        depth: convolutions in all, at least 3.
        width: channels between them.
        channels: of the picture.
        norm: batch normalisation behind the middle convolutions.
    """

    def __init__(self, *, depth: int = 20, width: int = 64, channels: int = 3, norm: bool = True) -> None:
        super().__init__()
        if depth < 3:
            raise ValueError(f"expected a depth of at least 3, got {depth}")
        self.multiple, self.radius = 1, depth
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth - 2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) if norm else nn.Identity() for _ in range(depth - 2))
        self.tail = nn.Conv2d(width, channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.tail.weight)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face."""
        return ModelSpec(task=task, radius=self.radius, conditions=conditions)

    def forward(self, x: Tensor) -> Tensor:
        return x - self.residual(x).to(x.dtype)

    def residual(self, x: Tensor) -> Tensor:
        """The noise that the chain sees."""
        h = F.relu(self.head(x))
        for conv, norm in zip(self.body, self.norms, strict=True):
            h = F.relu(norm(conv(h)))
        return self.tail(h)
