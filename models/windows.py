"""What lies around a pixel, as networks look at it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

# How far local contrast looks, in pixels, and the least variance that counts.
CONTRAST_REACH, _FLOOR = 2, 1e-4


def largest(x: Tensor, radius: int) -> Tensor:
    """``B x C x H x W``: the largest value within ``radius`` pixels, in squares; beyond the border is nothing."""
    side = 2 * radius + 1
    rows = F.max_pool2d(x.contiguous(), (side, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(rows, (1, side), stride=1, padding=(0, radius))


def local_contrast(x: Tensor) -> Tensor:
    """``B x C x H x W`` less its mean over 5 x 5 pixels, over the deviation of all channels there.

    Deviations below 1 % of full scale count as 1 %, so that flat places keep their noise small (divisive
    normalisation; LeCun et al. 2010 use it before a network as "local contrast normalisation").
    """
    apart = x.float() - _box(x.float())
    spread = _box(apart.square().mean(1, keepdim=True)).clamp(min=0) + _FLOOR
    return apart / spread.sqrt()


def _box(x: Tensor) -> Tensor:
    """Means over squares; the border is repeated. Channels come first: else pooling is slow."""
    side = 2 * CONTRAST_REACH + 1
    padded = F.pad(x.contiguous(), (CONTRAST_REACH,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (side, 1), stride=1), (1, side), stride=1)
