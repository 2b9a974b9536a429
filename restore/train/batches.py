"""Batches for paired training: degraded crops and their clean originals, functions of (seed, step) alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from restore.data.crops import draw_crops
from restore.degradations import sample as draw
from restore.image import quantise, to_grey
from restore.train.conditions import drawn_conditions, without_effect
from restore.train.config import Config
from restore.train.simulate import simulator

Batch = dict[str, Tensor]
Make = Callable[[int], Batch]


def in_late_phase(config: Config, step: int) -> bool:
    """Whether ``step`` (from 0) belongs to the last share, on larger crops."""
    return step >= round(config.steps * (1 - config.late_share))


def batch_maker(
    config: Config,
    pictures: Sequence[np.ndarray],
    device: torch.device,
    *,
    part: tuple[int, int] = (0, 1),
) -> Make:
    """``make(step)`` gives ``{"clean", "degraded", "conditions"}``, a function of (seed, step) alone.

    Args:
        pictures: ``H x W x 3`` clean ones, degraded here; or ``H x W x 6`` pairs, clean first (no conditions).
        part: (rank, processes): which share of every batch this process makes. Crops and parameters are drawn for
            the whole batch, so that shares of several processes are exactly the batch of one.
    """
    if pictures[0].shape[2] == 6:
        return _pair_maker(config, pictures, device, part)
    degrade = _degrader(config, pictures, device)

    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, part)
        return _laid_out(degrade(step, count, size, mine))

    return _crop_maker(config, degrade, part) if config.field or config.reuse > 1 else make


def _degrader(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device
) -> Callable[[int, int, int, slice], Batch]:
    """``degrade(number, count, size, mine)``: the part ``mine`` of ``count`` pairs of a clean side ``size``."""
    simulate = simulator(config.degradation)

    def degrade(number: int, count: int, size: int, mine: slice) -> Batch:
        clean = draw_crops(
            pictures, seed=config.seed, step=number, batch=count, size=size, part=mine
        ).to(device)  # fmt: skip
        g = draw.generator(draw.child_seed(config.seed, "degradation", number))
        whole = simulate.sample((count, *clean.shape[1:]), generator=g)
        kept = torch.rand(count, generator=g) < config.clean_share
        grey = (torch.rand(count, generator=g) < config.grey_share)[mine].to(device).view(-1, 1, 1, 1)
        stored = (torch.rand(count, generator=g) < config.stored_share)[mine].to(device).view(-1, 1, 1, 1)
        params = without_effect(whole, kept).select(mine)
        clean = torch.where(grey, to_grey(clean).expand_as(clean), clean)
        degraded = simulate.apply(clean, params)
        degraded = torch.where(grey, degraded[:, :1].expand_as(degraded), degraded)
        degraded = torch.where(stored, quantise(degraded), degraded)
        conditions = drawn_conditions(simulate, params, config.conditions)
        return {"clean": clean, "degraded": degraded, "conditions": conditions.to(device)}

    return degrade


def _crop_maker(
    config: Config, degrade: Callable[[int, int, int, slice], Batch], part: tuple[int, int]
) -> Make:
    """Crops out of larger degraded fields; every field serves ``config.reuse`` steps, a few new ones each step.

    Fields come in groups; a step takes its samples from the newest ``reuse`` groups in turn, at places and in
    orientations of its own. A resumed run makes those groups again. Of several processes each makes whole groups.
    """

    @lru_cache(maxsize=config.reuse + 1)
    def group(number: int, count: int, side: int) -> Batch:
        return degrade(number, count, side, slice(None))

    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, part)
        side = max(config.field, config.crop) + size - config.crop
        each = -(-count // config.reuse)
        made: list[Batch] = []
        for i in range(count)[mine]:
            fields = group(step + i % config.reuse, each, side)
            rng = np.random.default_rng((config.seed, step, i, 1))
            made.append(_cut(fields, i // config.reuse, size, config.scale, rng))
        return _laid_out({key: torch.cat([one[key] for one in made]) for key in made[0]})

    return make


def _cut(fields: Batch, row: int, size: int, scale: int, rng: np.random.Generator) -> Batch:
    """One sample of a group at a random place (whole degraded pixels), flipped and transposed at random."""
    side = fields["clean"].shape[-1]
    top, left = (int(n) for n in rng.integers(0, (side - size) // scale + 1, 2))
    flips = int(rng.integers(0, 8))
    sample: Batch = {}
    for key, field in fields.items():
        one = field[row : row + 1]
        if one.ndim == 4:
            step = side // one.shape[-1]  # clean pixels per pixel of this plane
            y, x, n = top * scale // step, left * scale // step, size // step
            one = _turned(one[..., y : y + n, x : x + n], flips)
        sample[key] = one
    return sample


def _turned(x: Tensor, flips: int) -> Tensor:
    axes = [axis for bit, axis in ((1, -2), (2, -1)) if flips & bit]
    x = x.flip(axes) if axes else x
    return x.transpose(-1, -2) if flips & 4 else x


def _pair_maker(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device, part: tuple[int, int]
) -> Make:
    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, part)
        both = draw_crops(pictures, seed=config.seed, step=step, batch=count, size=size, part=mine).to(device)
        clean, degraded = both.split(3, 1)
        return _laid_out({"clean": clean, "degraded": degraded})

    return make


def _laid_out(batch: Batch) -> Batch:
    """Pictures with their channels last, as the networks take them."""
    return {
        k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in batch.items()
    }


def _share(config: Config, step: int, part: tuple[int, int]) -> tuple[int, int, slice]:
    """How many samples the batch of ``step`` has, how large their crops are, and which this process makes."""
    rank, processes = part
    late = in_late_phase(config, step)
    count, size = (config.late_batch, config.late_crop) if late else (config.batch, config.crop)
    return count, size, slice(count * rank // processes, count * (rank + 1) // processes)
