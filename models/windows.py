"""What lies around a pixel, as networks look at it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def largest(x: Tensor, radius: int) -> Tensor:
    """``B x C x H x W``: the largest value within ``radius`` pixels, in squares; beyond the border is nothing."""
    side = 2 * radius + 1
    rows = F.max_pool2d(x.contiguous(), (side, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(rows, (1, side), stride=1, padding=(0, radius))
