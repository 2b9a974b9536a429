"""One parameter of a degradation: what it means, what it may be, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.severity import Row
from restore.errors import UsageError, did_you_mean
from restore.names import Value

# How far beyond its legal values a length may be in a very large or small picture.
_GROWTH = 32


@dataclass(frozen=True)
class Knob:
    """One parameter of a degradation.

    Args:
        doc: what it is, with its unit as stored.
        span: the values drawn from, uniformly, when neither a value nor a severity is given.
        legal: the smallest and largest value accepted.
        levels: severity table per size class; None when severity does not touch this knob.
        unit: what one unit in a name means (``noise:sigma=25`` with unit 1/255 is stored as 25/255).
        default: the value when neither a value nor a severity table decides; None: draw from ``span``.
        whole: rounds to whole numbers.
        is_length: a length in pixels, which grows with pictures larger than the table's classes.
        choices: names instead of numbers; ``default`` is one of them. ``"one|other"`` draws between them.
        text: any text (the name of a file); no value at all unless given.
        shared: one value for the whole batch (what decides the size of the result must be).
    """

    doc: str
    span: tuple[float, float] = (0.0, 1.0)
    legal: tuple[float, float] = (0.0, float("inf"))
    levels: Mapping[int, Row] | None = None
    unit: float = 1.0
    default: float | str | None = None
    whole: bool = False
    is_length: bool = False
    choices: tuple[str, ...] = ()
    text: bool = False
    shared: bool = False


def draw_between(count: int, low: float, high: float, knob: Knob, g: torch.Generator) -> Tensor:
    """U(low, high), or whole numbers from low to high, each as likely."""
    if low == high:
        return torch.full((count,), low, dtype=torch.float64)
    if knob.whole:
        return draw.draw_uniform(count, low, high + 1, g).floor().clamp(max=high)
    return draw.draw_uniform(count, low, high, g)


def value_ends(name: str, key: str, value: Value) -> tuple[float, float]:
    """``25`` as (25, 25) and ``"0..50"`` as (0, 50)."""
    low, dots, high = str(value).partition("..")
    try:
        ends = (float(low), float(high if dots else low))
    except ValueError:
        raise UsageError(f"{name}: expected a number or low..high for {key!r}, got {value!r}") from None
    if ends[1] < ends[0]:
        raise UsageError(f"{name}: expected low..high with low <= high for {key!r}, got {value!r}")
    return ends


def check_value(name: str, key: str, knob: Knob, value: Value) -> None:
    """Raises UsageError for a value, in the units of a name, that the knob does not take."""
    if knob.text:
        return
    if knob.choices:
        for option in str(value).split("|"):
            if option not in knob.choices:
                raise UsageError(f"{name}: unknown {key} {option!r}", hint=did_you_mean(option, knob.choices))
        return
    for number in value_ends(name, key, value):
        low, high = knob.legal[0] / knob.unit, knob.legal[1] / knob.unit
        if not low <= number <= high:
            raise UsageError(f"{name}: expected {key} from {low:g} to {high:g}, got {value}")
        if knob.whole and number != int(number):
            raise UsageError(f"{name}: expected a whole number for {key}, got {value}")


def recorded_problem(knob: Knob, column: Any) -> str:
    """What was expected of recorded values, one a sample, that this knob never draws; empty where they are fine."""
    if knob.choices or knob.text:
        words = isinstance(column, list) and all(isinstance(v, str) for v in column)
        known = words and (knob.text or set(column) <= set(knob.choices))
        return "" if known else f"one of {', '.join(knob.choices)}" if knob.choices else "a text"
    if not isinstance(column, Tensor):
        return "a number"
    low, high = knob.legal
    # Lengths follow the size of pictures beyond the tables' classes; rounding may go a little beyond.
    if knob.is_length:
        low, high = min(low, low / _GROWTH), high * _GROWTH
    slack = 1e-6 * max(1.0, abs(low))
    if not bool(
        (torch.isfinite(column) & (column >= low - slack) & (column <= high + 1e-6 * abs(high))).all()
    ):
        return f"a number from {low:g} to {high:g}"
    return ""
