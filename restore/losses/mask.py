"""The loss of a predicted mask."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy, and one minus the overlap (soft Dice, Milletari et al. 2016), so that thin marks count.

    Args:
        logits: ``B x 1 x H x W``.
        target: of the same shape, in [0, 1].
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target)
    p = logits.sigmoid()
    both = 2 * (p * target).sum((1, 2, 3)) + 1
    return entropy + (1 - both / (p.square() + target.square()).sum((1, 2, 3)).add(1)).mean()
