"""NoiseLevel: how strong the noise of a picture is, so that nobody has to know sigma.

A small convolutional network looks at the high-pass picture in windows of a few pixels' reach and says for each
place a level and how much the place is to be trusted (flat places speak clearly, texture does not); the answer is
the weighted mean. It has no biases, so that the level scales with the noise by construction (Mohan et al. 2020);
the weights let it tell grain from texture where classical estimators (smallest eigenvalue, wavelet MAD) cannot.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST = 64


class NoiseLevel(nn.Module):
    """``B x 3 x H x W`` (unclipped, any size) to ``B`` standard deviations in units of [0, 1].

    Convolutions are not padded: zeros at a border would count as calm, and more so in smaller windows.

    Args:
        width: channels at half resolution; doubled at a quarter.
        depth: 3x3 layers at a quarter of the resolution.
    """

    def __init__(self, *, width: int = 32, depth: int = 3, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels * 4, width, 3, bias=False), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, bias=False), nn.ReLU()]
        layers += [nn.Conv2d(width, 2 * width, 2, stride=2, bias=False), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(2 * width, 2 * width, 3, bias=False), nn.ReLU()]
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # keeps the scale of the noise through the layers
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.body = nn.Sequential(*layers)
        self.level = nn.Conv2d(2 * width, 1, 1, bias=False)
        self.trust = nn.Conv2d(2 * width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        total, weight = self.sums(x)
        level = total / weight
        return level if self.training else level.clamp(min=0)

    def sums(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted sum and sum of weights (B each), which add up over windows of one picture."""
        x = _mirrored(x, SMALLEST)
        high = x[..., 1:-1, 1:-1] - F.avg_pool2d(x, 3, stride=1)
        even = high[..., : high.shape[-2] // 4 * 4, : high.shape[-1] // 4 * 4]
        features = self.body(F.pixel_unshuffle(even, 2))
        # Linear, so that no place can fall silent while training; the mean is clamped at 0.
        level = self.level(features).float()[:, 0]
        trust = torch.sigmoid(self.trust(features).float()[:, 0]) + 1e-4
        return (level * trust).sum((1, 2)), trust.sum((1, 2))


def _mirrored(x: Tensor, smallest: int) -> Tensor:
    """Repeats a picture in mirror images until no side is below ``smallest``: the statistics stay those it has."""
    for axis in (-2, -1):
        n = x.shape[axis]
        if n < smallest:
            place = torch.arange(smallest, device=x.device) % (2 * n)
            x = x.index_select(axis, torch.where(place < n, place, 2 * n - 1 - place))
    return x
