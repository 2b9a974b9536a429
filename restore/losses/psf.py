"""Losses of a predicted point spread function and of what it inverts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def psf_loss(found: Tensor, target: Tensor) -> Tensor:
    """The sum of absolute differences, both softened by a pixel; the mirror image is as right as the psf itself.

    Args:
        found, target: ``B x 1 x K x K`` with odd sides, sums 1.

    0 is a match, 2 is all of the light in other places.
    """
    line = torch.tensor([0.25, 0.5, 0.25], device=found.device)
    soft = (line[:, None] * line)[None, None]
    ours = F.conv2d(found, soft, padding=1)
    distance = [
        (ours - F.conv2d(one, soft, padding=1)).abs().sum((1, 2, 3)) for one in (target, target.flip(-2, -1))
    ]
    return torch.minimum(*distance).mean()


def either_loss(found: Tensor, target: Tensor) -> Tensor:
    """The mean absolute difference of the better of several pictures, one beside the other in the channels.

    Args:
        found: ``B x N C x H x W``.
        target: ``B x C x H x W``.
    """
    several = found.unflatten(1, (-1, target.shape[1]))
    return (several - target[:, None]).abs().mean((2, 3, 4)).amin(1).mean()
