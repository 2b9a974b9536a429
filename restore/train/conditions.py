"""What was drawn for a batch: as the numbers a network is told, and without the effect on samples kept clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from restore.degradations import Degradation, Params, Pipeline
from restore.errors import UsageError, did_you_mean


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
