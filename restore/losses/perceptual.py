"""Differences between pictures as a feature network sees them."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.models.features import FeatureNet

SMALLEST_MAP = 4


def perceptual(net: FeatureNet, x: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of the feature maps of two batches ``B x 3 x H x W`` in [0, 1].

    No gradient goes to the target.
    """
    return (net(x) - _still(net, target)).square().mean().float()


def self_feature(net: FeatureNet, x: Tensor, source: Tensor) -> Tensor:
    """Self feature preserving loss (EnlightenGAN): the enhanced ``x`` keeps what ``source`` shows.

    Both maps are normalised over the positions of each picture and channel, so this is ``2 (1 - correlation)``,
    between 0 and 4, and nearly blind to exposure. Channels that say the same everywhere in ``source`` are left out.

    Raises:
        UsageError: a map below 4 x 4 positions, on which the normalisation means nothing.
    """
    return feature_distance(net(x), _still(net, source))


def feature_distance(a: Tensor, b: Tensor) -> Tensor:
    """:func:`self_feature` of maps ``B x C x h x w`` that are already there; ``b`` is the source's."""
    if min(a.shape[-2:]) < SMALLEST_MAP:
        raise UsageError(
            f"expected feature maps of at least {SMALLEST_MAP} x {SMALLEST_MAP}, got {tuple(a.shape[-2:])}",
            hint="larger patches, or features of a smaller stride",
        )
    a, b = a.flatten(2).float(), b.flatten(2).float()
    a, b = a - a.mean(2, keepdim=True), b - b.mean(2, keepdim=True)
    spread_a, spread_b = (v.square().mean(2, keepdim=True) for v in (a, b))
    floor = 1e-8 * spread_b.amax(1, keepdim=True).clamp(min=1e-12)
    alive = spread_b > floor
    difference = a / (spread_a + floor).sqrt() - b / (spread_b + floor).sqrt()
    # A mean of pictures, so that a batch is worth the same whole or shared by processes.
    return ((difference.square().mean(2, keepdim=True) * alive).sum(1) / alive.sum(1).clamp(min=1)).mean()


@torch.no_grad()
def _still(net: FeatureNet, x: Tensor) -> Tensor:
    return net(x)
