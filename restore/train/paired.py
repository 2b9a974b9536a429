"""Paired training: a degraded batch in, its clean original as the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from restore.data.crops import draw_crops
from restore.degradations import Degradation, Params, Pipeline, degradation
from restore.degradations import sample as draw
from restore.errors import UsageError, did_you_mean
from restore.image import quantise, to_grey
from restore.losses import TABLE as LOSSES
from restore.train.config import Config

Batch = dict[str, Tensor]


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
    simulate = degradation([p.strip() for spec in config.degradation for p in spec.split("+")])
    rank, processes = part

    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, rank, processes)
        clean = draw_crops(pictures, seed=config.seed, step=step, batch=count, size=size, part=mine).to(
            device
        )
        g = draw.generator(draw.child_seed(config.seed, "degradation", step))
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
        layout = torch.channels_last
        return {
            "clean": clean.contiguous(memory_format=layout),
            "degraded": degraded.contiguous(memory_format=layout),
            "conditions": conditions.to(device),
        }

    return make


def _pair_maker(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device, part: tuple[int, int]
) -> Callable[[int], Batch]:
    def make(step: int) -> Batch:
        count, size, mine = _share(config, step, *part)
        both = draw_crops(pictures, seed=config.seed, step=step, batch=count, size=size, part=mine).to(device)
        clean, degraded = (h.contiguous(memory_format=torch.channels_last) for h in both.split(3, 1))
        return {"clean": clean, "degraded": degraded}

    return make


def _share(config: Config, step: int, rank: int, processes: int) -> tuple[int, int, slice]:
    """How many samples the batch of ``step`` has, how large their crops are, and which this process makes."""
    late = in_late_phase(config, step)
    count, size = (config.late_batch, config.late_crop) if late else (config.batch, config.crop)
    return count, size, slice(count * rank // processes, count * (rank + 1) // processes)


def without_effect(params: Params, where: Tensor) -> Params:
    """The same draws with zero strength where ``where`` (B booleans) says so: those samples stay clean."""
    strength = torch.where(where, torch.zeros_like(params.strength), params.strength)
    steps = tuple(without_effect(s, where) for s in params.steps)
    return Params(params.name, params.seeds, strength, params.values, steps)


def drawn_conditions(simulate: Degradation | Pipeline, params: Params, names: Sequence[str]) -> Tensor:
    """``B x len(names)``: the drawn values the network is told, times the strength (0 where nothing was done).

    Args:
        names: a knob ("quality"), or the knob of one step ("jpeg.quality") where several have it. The last step that
            drew it counts. In a mixture the steps differ between samples; those without such a step get 0.

    Raises:
        UsageError: a name that nothing in ``simulate`` draws.
    """
    known = _drawable(simulate)
    for name in names:
        if name not in known:
            raise UsageError(
                f"condition {name!r} is not drawn by {simulate.label}", hint=did_you_mean(name, known)
            )
    told = torch.zeros(len(params), len(names))
    _tell(params, {name: i for i, name in enumerate(names)}, told, torch.ones(len(params)))
    return told


def _drawable(step: Degradation | Pipeline) -> set[str]:
    """Knobs with numbers, alone and after the name of their degradation."""
    if isinstance(step, Pipeline):
        return {name for inner in step.contents() for name in _drawable(inner)}
    keys = [key for key, knob in step.knobs.items() if not (knob.choices or knob.text)]
    return {*keys, *(f"{step.name}.{key}" for key in keys)}


def _tell(params: Params, columns: Mapping[str, int], told: Tensor, above: Tensor) -> None:
    """Writes what was drawn into ``told`` (B x names); ``above`` is the strength of what the step is a part of."""
    strength = above * params.strength.float()
    for step in params.steps:
        _tell(step, columns, told, strength)
    for i, records in enumerate(params.values.get("steps", [])):
        row = told[i : i + 1]
        for record in records:
            _tell(Params.from_json([record]), columns, row, strength[i : i + 1])
    for key, value in params.values.items():
        for name in (key, f"{params.name}.{key}"):
            if name in columns and isinstance(value, Tensor):
                told[:, columns[name]] = value.float() * strength


def paired_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)`` as the loss between restored and clean."""

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        late = in_late_phase(config, number) and config.late_loss
        loss = LOSSES[config.late_loss if late else config.loss]
        restored = (
            net(batch["degraded"], batch["conditions"]) if config.conditions else net(batch["degraded"])
        )
        return loss(restored.float(), batch["clean"])

    return step


def estimate_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)`` as the error of an estimated condition.

    The error is relative for strong degradations and absolute for weak ones: |e - s| / (s + 5/255).
    """

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        target = batch["conditions"][:, 0]
        return ((net(batch["degraded"]).float() - target).abs() / (target + 5 / 255)).mean()

    return step
