"""``re-enlarge``: a picture that was enlarged before is shrunk to the pixels it has, and enlarged by a network.

What was enlarged by interpolation holds no more than a smaller picture does. That smaller picture is the one whose
interpolation is what we see: found by shrinking, and by adding what its own interpolation still lacks (iterative
back-projection, Irani and Peleg 1991), which undoes most of the blur of the two passes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.models.resunet import pad_to
from restore.names import Value, format_name
from restore.resample import imresize
from restore.restorers.base import Restorer
from restore.restorers.local_mean import CELL, LIGHT_RULES, REACH, keep_local_mean
from restore.restorers.values import check_values

NAME = "re-enlarge"
TASK = "downsampled"
DESCRIPTION = (
    "enlarged pictures: shrunk to the pixels they have and enlarged by a network, at the same size (scale)"
)
SCALES = (2, 3, 4)
# Back-projections.
_PASSES = 2
# Pixels of the small picture that both interpolations of a pass look at.
_REACH = 5


class ReEnlargeRestorer(Restorer):
    """By a whole ``scale`` of 2, 3 or 4, see the module; the network is ``sr-x2``, ``sr-x3`` or ``sr-x4``.

    Raises:
        UsageError: no scale, or another one.
    """

    def __init__(
        self,
        load: Callable[[str], Restorer],
        *,
        device: torch.device,
        tile: int | None,
        values: dict[str, Value],
    ) -> None:
        check_values(NAME, values, ("scale",))
        scale = values.get("scale")
        if isinstance(scale, bool) or scale not in SCALES:
            raise UsageError(
                f"{NAME}: expected a scale of 2, 3 or 4, got {scale!r}", hint=f"write {NAME}:scale=2"
            )
        self.times = int(scale)
        self.network = load(f"sr-x{self.times}")
        inner = self.network.spec
        spec = replace(
            inner,
            task=TASK,
            description=DESCRIPTION,
            scale=1,
            radius=self.times * (inner.radius + _REACH * (1 + 2 * _PASSES)) + REACH,
            multiple=math.lcm(self.times * inner.multiple, CELL),
            keeps_light=True,
            takes=("scale",),
        )
        fingerprint = hashlib.sha256(
            f"{NAME} {LIGHT_RULES[TASK]} {self.network.fingerprint}".encode()
        ).hexdigest()[:16]
        super().__init__(format_name(NAME, values), spec, fingerprint=fingerprint, device=device, tile=tile)

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        height, width = x.shape[-2:]
        small = shrunk(pad_to(x, self.times), self.times)
        y = self.network.restore_window(small, None, exact=exact)[..., :height, :width]
        return keep_local_mean(y, x, LIGHT_RULES[TASK])


def shrunk(x: Tensor, scale: int) -> Tensor:
    """The picture whose bicubic enlargement by ``scale`` is ``x`` (``B x C x H x W``, sides multiples of ``scale``)."""
    small = imresize(x, scale=1 / scale)
    for _ in range(_PASSES):
        small = small + imresize(x - imresize(small, scale=scale), scale=1 / scale)
    return small
