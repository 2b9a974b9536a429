"""Where something was put over a picture: the mask that recorded parameters stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from restore.degradations import glass_drops, lens_drops
from restore.degradations.params import Params
from restore.degradations.presets import TABLE

# What is painted over a picture in layers of an opacity and a colour.
PAINTED = ("scratches", "crease", "dust", "mildew", "water-stain", "watermark", "mask", "cracks")
TRACEABLE = (*PAINTED, "raindrop", "glass-drops")


def trace(params: Params, shape: tuple[int, ...], names: Collection[str] = TRACEABLE) -> Tensor:
    """The share of each pixel's own light that the named steps took away, ``B x 1 x H x W`` in [0, 1].

    Args:
        params: of a degradation, a pipeline or a mixture; other steps, and steps at another size, leave no trace.
        shape: (B, C, H, W) of the picture.
        names: of :data:`TRACEABLE`.
    """
    height, width = shape[-2:]
    left = torch.ones((len(params), 1, height, width))
    for i in range(len(params)):
        for one in elementary(params.select(slice(i, i + 1))):
            strength = float(one.strength)
            if one.name in names and one.name in TRACEABLE and strength > 0:
                left[i] *= 1 - strength * _cover(one, height, width)[0]
    return 1 - left


def elementary(params: Params) -> Iterator[Params]:
    """The elementary steps of one sample in order, each with the strength of what it is a part of."""
    inner = [
        *params.steps,
        *(Params.from_json([record]) for rows in params.values.get("steps", []) for record in rows),
    ]
    if not inner and "steps" not in params.values:
        yield params
    for step in inner:
        for one in elementary(step):
            yield Params(one.name, one.seeds, one.strength * params.strength, one.values)


def _cover(params: Params, height: int, width: int) -> Tensor:
    """The opacity of one sample, ``1 x 1 x H x W``: what a layer does to white less what it does to black."""
    if params.name == "glass-drops":
        return glass_drops.maps((1, 1, height, width), params)
    if params.name == "raindrop":
        return lens_drops.maps((1, 1, height, width), params)
    whole = Params(params.name, params.seeds, torch.ones_like(params.strength), params.values)
    black, white = torch.zeros((1, 1, height, width)), torch.ones((1, 1, height, width))
    painted = TABLE[params.name]
    return 1 - (painted.apply(white, whole) - painted.apply(black, whole))
