"""Paired training: a degraded batch in, its clean original as the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore.data.crops import draw_crops
from restore.degradations import Params, psf_trace, trace
from restore.degradations import sample as draw
from restore.image import quantise, to_grey
from restore.losses import loss_named
from restore.losses.mask import mask_loss
from restore.losses.psf import either_loss, psf_loss
from restore.models.lags import REACH
from restore.models.views import view_of
from restore.train.conditions import drawn_conditions, without_effect
from restore.train.config import Config
from restore.train.fields import Batch, Degrade, crops_of_fields
from restore.train.processes import share_of
from restore.train.simulate import simulator

# Parts of an answer with a loss and a target of their own; others are pictures.
_OF_PART: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "mask": (mask_loss, "mask"),
    "psf": (psf_loss, "psf"),
    "either": (either_loss, "clean"),
}


def in_late_phase(config: Config, step: int) -> bool:
    """Whether ``step`` (from 0) belongs to the last share, on larger crops."""
    return step >= round(config.steps * (1 - config.late_share))


def batch_maker(
    config: Config,
    pictures: Sequence[np.ndarray],
    device: torch.device,
    *,
    part: tuple[int, int] = (0, 1),
) -> Callable[[int], Batch]:
    """``make(step)`` gives ``{"clean", "degraded", "conditions"}``, a function of (seed, step) alone.

    Args:
        pictures: ``H x W x 3`` clean ones, degraded here; or ``H x W x 6`` pairs, clean first (no conditions).
        part: (rank, processes): which share of every batch this process makes. Crops and parameters are drawn for
            the whole batch, so that shares of several processes are exactly the batch of one.
    """
    if pictures[0].shape[2] == 6:
        return _pair_maker(config, pictures, device, part)
    degrade = _degrader(config, pictures, device)
    cut = crops_of_fields(degrade, seed=config.seed, reuse=config.reuse, scale=config.scale)

    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, *part)
        if not config.field and config.reuse == 1:
            return _laid_out(degrade(step, count, size, mine))
        side = max(config.field, config.crop) + size - config.crop
        return _laid_out(cut(step, count, size, side, mine))

    return make


def _degrader(config: Config, pictures: Sequence[np.ndarray], device: torch.device) -> Degrade:
    simulate = simulator(config.degradation)

    def degrade(number: int, count: int, size: int, mine: slice) -> Batch:
        crops = draw_crops(
            pictures,
            seed=config.seed,
            step=number,
            batch=count,
            size=size,
            part=mine,
            scenes=config.scenes,
        )
        clean = crops.to(device)
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
        made = {"clean": clean, "degraded": degraded, "conditions": conditions.to(device)}
        return made | beside(config, degraded, params)

    return degrade


def beside(config: Config, degraded: Tensor, params: Params) -> Batch:
    """What else belongs to degraded pictures; where the mask is a part of them, "degraded" again."""
    made: Batch = {}
    if config.mask:
        made["mask"] = trace(params, tuple(degraded.shape), config.mask).to(degraded)
    if config.mask_input:
        made["degraded"] = torch.cat([degraded * (1 - made["mask"]), made["mask"]], 1)
    if config.view:
        made["view"] = view_of(config.view, degraded)
    if "psf" in config.parts:
        made["psf"] = psf_trace(params, reach=REACH).to(degraded)
    return made


def _pair_maker(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device, part: tuple[int, int]
) -> Callable[[int], Batch]:
    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, *part)
        both = draw_crops(pictures, seed=config.seed, step=step, batch=count, size=size, part=mine).to(device)
        clean, degraded = both.split(3, 1)
        return _laid_out({"clean": clean, "degraded": degraded})

    return make


def _laid_out(batch: Batch) -> Batch:
    """Pictures with their channels last, as the networks take them."""
    last = torch.channels_last
    return {k: v.contiguous(memory_format=last) if v.ndim == 4 else v for k, v in batch.items()}


def _share(config: Config, step: int, rank: int, processes: int) -> tuple[int, int, slice]:
    """How many samples the batch of ``step`` has, how large their crops are, and which this process makes."""
    late = in_late_phase(config, step)
    count, size = (config.late_batch, config.late_crop) if late else (config.batch, config.crop)
    return count, size, share_of(count, rank, processes)


def paired_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)`` as the loss between restored and clean, and of the parts that the recipe names."""
    early = loss_named(config.loss)
    last = loss_named(config.late_loss) if config.late_loss else early

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        loss = last if in_late_phase(config, number) else early
        told = (batch["conditions"],) if config.conditions else ()
        asked: dict[str, Any] = {key: batch[key] for key in ("view", "psf") if key in batch}
        if number < config.first_steps:
            of, target = _OF_PART.get(config.first_part, (loss, "clean"))
            return of(net(batch["degraded"], *told, **asked, parts=config.first_part).float(), batch[target])
        if not config.parts:
            return loss(net(batch["degraded"], *told, **asked).float(), batch["clean"])
        parts = net(batch["degraded"], *told, **asked, parts=True)
        total = loss(parts["picture"].float(), batch["clean"])
        for name, weight in config.parts.items():
            of, target = _OF_PART.get(name, (loss, "clean"))
            total = total + weight * of(parts[name].float(), batch[target])
        return total

    return step


def estimate_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)`` as the error of an estimated condition.

    The error is relative for strong degradations and absolute for weak ones: |e - s| / (s + 5/255).
    """

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        target = batch["conditions"][:, 0]
        return ((net(batch["degraded"]).float() - target).abs() / (target + 5 / 255)).mean()

    return step
