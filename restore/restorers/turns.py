"""A picture restored in several positions and averaged: "self-ensemble" (Timofte et al., CVPR 2016).

A network trained on turned pictures errs a little differently on each turn of the same one; the mean of its answers,
turned back, errs less. It costs as many passes as there are turns.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.inverse.plug_and_play import turn, unturn

# How many may be asked for: the picture; also upside down; all quarter turns; these and their mirror images.
COUNTS = (1, 2, 4, 8)
# Ways of :func:`restore.inverse.plug_and_play.turn`, opposite ones first, because two of them differ most.
_WAYS = (0, 2, 1, 3, 4, 6, 5, 7)


def mean_of_turns(
    restore: Callable[[Tensor], Tensor], x: Tensor, *, count: int, multiple: int = 1, scale: int = 1
) -> Tensor:
    """The mean of ``restore`` over ``count`` positions of ``x``, ``B x C x H x W``, each turned back.

    Args:
        restore: gives a picture ``scale`` times as large as its own.
        count: 1, 2, 4 or 8.
        multiple: of the grid that ``restore`` works on; sides are filled up to it (edges repeated) before turning, so
            that the grid lies where it lies for the picture itself and windows equal the whole.
    """
    if count == 1:
        return restore(x)
    height, width = x.shape[-2:]
    filled = F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
    total: Tensor | None = None
    for way in _WAYS[:count]:
        turned = turn(filled, way).contiguous(memory_format=torch.channels_last)
        y = unturn(restore(turned), way)
        total = y if total is None else total + y
    assert total is not None
    return (total / count)[..., : height * scale, : width * scale]
