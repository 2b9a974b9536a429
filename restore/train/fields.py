"""Crops out of larger degraded fields, for degradations that cost more than a training step.

Every field serves several steps, a few new ones being made each step. What a step gets is a function of (seed, step)
alone: a resumed run makes the same fields again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

Batch = dict[str, Tensor]
# degrade(number, count, size, mine): the part ``mine`` of ``count`` pairs of a clean side ``size``.
Degrade = Callable[[int, int, int, slice], Batch]


def crops_of_fields(
    degrade: Degrade, *, seed: int, reuse: int, scale: int
) -> Callable[[int, int, int, int, slice], Batch]:
    """``make(step, count, size, side, mine)``: the part ``mine`` of a batch of ``count`` crops of ``size`` pixels.

    Fields of ``side`` pixels come in groups, one new group a step; a step takes its samples from the newest
    ``reuse`` groups in turn, at places and in orientations of its own. Of several processes each makes whole groups.
    """

    @lru_cache(maxsize=reuse + 1)
    def group(number: int, count: int, side: int) -> Batch:
        return degrade(number, count, side, slice(None))

    def make(step: int, count: int, size: int, side: int, mine: slice) -> Batch:
        made: list[Batch] = []
        for i in range(count)[mine]:
            fields = group(step + i % reuse, -(-count // reuse), side)
            rng = np.random.default_rng((seed, step, i, 1))
            made.append(_cut(fields, i // reuse, size, scale, rng))
        return {key: torch.cat([one[key] for one in made]) for key in made[0]}

    return make


def _cut(fields: Batch, row: int, size: int, scale: int, rng: np.random.Generator) -> Batch:
    """One sample of a group at a random place (whole degraded pixels), flipped and transposed at random."""
    side = fields["clean"].shape[-1]
    top, left = (int(n) for n in rng.integers(0, (side - size) // scale + 1, 2))
    flips = int(rng.integers(0, 8))
    sample: Batch = {}
    for key, field in fields.items():
        one = field[row : row + 1]
        if key in ("view", "psf"):  # of the whole field, turned with it
            one = _turned(one, flips)
        elif one.ndim == 4:
            step = side // one.shape[-1]  # clean pixels per pixel of this plane
            y, x, n = top * scale // step, left * scale // step, size // step
            one = _turned(one[..., y : y + n, x : x + n], flips)
        sample[key] = one
    return sample


def _turned(x: Tensor, flips: int) -> Tensor:
    axes = [axis for bit, axis in ((1, -2), (2, -1)) if flips & bit]
    x = x.flip(axes) if axes else x
    return x.transpose(-1, -2) if flips & 4 else x
