"""A small convolutional classifier for pictures of 28 to 64 pixels."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class SmallNet(nn.Module):
    """Three strided convolution stages, global average, dropout, one linear layer.

    Args:
        channels: of the pictures, 1 or 3.
        classes: logits.
        width: of the first stage; the others have 2 and 4 times as much.
        dropout: before the last layer, so that MC dropout has something to drop.
    """

    def __init__(self, channels: int = 1, classes: int = 10, width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width]
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
                nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
            )
            for a, b in pairwise(widths)
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures ``B x C x H x W`` to logits ``B x classes``."""
        for stage in self.stages:
            x = stage(x)
        return self.head(self.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1)))
