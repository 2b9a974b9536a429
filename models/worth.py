"""Whether a thing that was found on a picture is worth filling, told from what is known of it before and after."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# How many numbers are known of a thing (restore.restorers.things), and quantiles of each that are kept.
FEATURES, QUANTILES = 17, 64

# Which of these is the logarithm of a thing's area in pixels.
AREA = 4
# Chosen on BSDS500: the logit from which on a thing is filled. Where things that are worth it rather than not cover
# more than .1 % of the picture, every e times as much lowers it by one, because one scratch seldom comes alone.
_LEAST, _SHARE = -1.0, 1e-3


class Worth(nn.Module):
    """A perceptron of two hidden layers: ``N x FEATURES`` to N logits that filling brings the picture nearer to what it
    was.

    Every feature is told by its rank among those of the training: pictures of another kind have other spreads.

    Args:
        hidden: width of both layers.
    """

    def __init__(self, *, hidden: int = 96) -> None:
        super().__init__()
        line = torch.linspace(-1, 1, QUANTILES)
        self.quantiles = nn.Parameter(line.repeat(FEATURES, 1), requires_grad=False)
        self.head = nn.Sequential(
            nn.Linear(FEATURES, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.judge(self.ranked(features))

    def chosen(self, features: Tensor, pixels: int) -> Tensor:
        """Which of all things on one picture of so many pixels are to be filled: N booleans."""
        logits = self(features)
        sure = float(features[logits > 0, AREA].exp().sum()) / pixels
        lower = math.log(max(sure / _SHARE, 1.0))
        return logits > _LEAST - lower

    def take_quantiles(self, features: Tensor) -> None:
        """Sets the ranks by ``N x FEATURES`` of the training."""
        with torch.no_grad():
            at = torch.linspace(0, 1, QUANTILES, dtype=features.dtype)
            self.quantiles.copy_(features.quantile(at, 0).T)

    def ranked(self, features: Tensor) -> Tensor:
        """Ranks from -1.7 to 1.7 (a deviation of one), linear between quantiles."""
        rows, known = features.T.contiguous(), self.quantiles.contiguous()
        above = torch.searchsorted(known, rows).clamp(1, QUANTILES - 1)
        low, high = known.gather(1, above - 1), known.gather(1, above)
        share = ((rows - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
        return (((above - 1 + share) / (QUANTILES - 1) * 2 - 1) * 3**0.5).T

    def judge(self, ranked: Tensor) -> Tensor:
        """N logits."""
        return self.head(ranked)[:, 0]
