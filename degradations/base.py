"""The contract of a degradation: draw, then apply.

``params = d.sample(shape, severity=3, generator=g)`` draws and never sees pixels; ``y = d.apply(x, params)``
is deterministic; ``y, params = d(x, severity=3, generator=g)`` does both. Parameters are per sample, do not
depend on the batch they are in, go to JSON and back, and replay bit for bit. Zero strength is the identity,
bit for bit.

An elementary degradation is a plain function plus a table of knobs::

    def gaussian_noise(x, *, seed, sigma): ...
    GAUSSIAN = Degradation("noise", gaussian_noise, {"sigma": Knob(...)})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.severity import Row, from_table
from restore.errors import RestoreError, UsageError, did_you_mean
from restore.names import Value, format_name

SCHEMA = 1


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


@dataclass(frozen=True)
class Params:
    """What was drawn for a batch: enough to apply it again.

    ``values`` holds per knob a float64 tensor of B values or a list of B names; ``seeds`` B integers from
    which fields are made again; ``strength`` B blends in [0, 1] (0: identity). A pipeline has ``steps``
    instead of values; what was drawn by a combinator (``combine``) differs in kind between samples, and its one
    value ``steps`` holds per sample the records of the elementary degradations in order.
    """

    name: str
    seeds: Tensor
    strength: Tensor
    values: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Params, ...] = ()

    def __len__(self) -> int:
        return len(self.seeds)

    def select(self, index: slice) -> Params:
        """The parameters of some of the samples."""
        values = {k: v[index] for k, v in self.values.items()}
        steps = tuple(s.select(index) for s in self.steps)
        return Params(self.name, self.seeds[index], self.strength[index], values, steps)

    def to_json(self) -> list[dict[str, Any]]:
        """One JSON-able record per sample."""
        return [self._record(i) for i in range(len(self))]

    def _record(self, i: int) -> dict[str, Any]:
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.name,
            "seed": int(self.seeds[i]),
            "strength": float(self.strength[i]),
        }
        if self.steps:
            record["steps"] = [s._record(i) for s in self.steps]
        else:
            record["values"] = {
                k: v[i] if isinstance(v, list) else float(v[i]) for k, v in self.values.items()
            }
        return record

    @staticmethod
    def from_json(records: list[dict[str, Any]]) -> Params:
        """The inverse of :meth:`to_json`.

        Raises:
            RestoreError: records that are empty, differ in kind, or come from another schema.
        """
        try:
            names = {r["name"] for r in records}
            if len(names) != 1 or any(r["schema"] != SCHEMA for r in records):
                raise RestoreError(
                    f"expected records of one degradation and schema {SCHEMA}, got {sorted(names)} "
                    f"and schema {sorted({r['schema'] for r in records})}"
                )
            values: dict[str, Any] = {}
            for key, first in records[0].get("values", {}).items():
                column = [r["values"][key] for r in records]
                values[key] = (
                    column if isinstance(first, str | list) else torch.tensor(column, dtype=torch.float64)
                )
            steps = [r.get("steps", []) for r in records]
            return Params(
                names.pop(),
                torch.tensor([r["seed"] for r in records], dtype=torch.int64),
                torch.tensor([r["strength"] for r in records], dtype=torch.float64),
                values,
                tuple(
                    Params.from_json([dict(s, schema=SCHEMA) for s in column])
                    for column in zip(*steps, strict=True)
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RestoreError(
                f"not a record of a degradation: {error}", hint="use a params.jsonl as it was written"
            ) from error


@dataclass(frozen=True)
class Degradation:
    """An elementary degradation: a name, a function and its knobs; ``fixed`` are knobs given by the caller.

    ``function(x, *, seed, **knobs)`` gets the batch ``B x C x H x W``, ``seed`` (B integers) and per knob a
    float64 tensor of B values or a list of B names. It must treat every sample alone and must not change
    ``x``. Where the size changes, ``resized`` says what becomes of a shape (B, C, H, W).
    """

    name: str
    function: Callable[..., Tensor]
    knobs: Mapping[str, Knob]
    keeps_size: bool = True
    fixed: Mapping[str, Value] = field(default_factory=dict)
    resized: Callable[[tuple[int, ...], Params], tuple[int, ...]] | None = None

    def with_values(self, **values: Value) -> Degradation:
        """The same degradation with knobs fixed, in the units of a name; ``severity`` fixes the severity.

        A text ``"low..high"`` draws uniformly between the two for every sample.

        Raises:
            UsageError: an unknown knob, or a value that is not legal.
        """
        for key, value in values.items():
            if key == "severity":
                for number in value_ends(self.name, key, value):
                    if not 0 <= number <= 5:
                        raise UsageError(f"{self.name}: expected severity 0 to 5, got {value}")
            elif key not in self.knobs:
                raise UsageError(
                    f"{self.name}: unknown parameter {key!r}",
                    hint=did_you_mean(key, [*self.knobs, "severity"]),
                )
            else:
                check_value(self.name, key, self.knobs[key], value)
        return replace(self, fixed={**self.fixed, **values})

    @property
    def label(self) -> str:
        """The name with its fixed values, as it can be given again."""
        return format_name(self.name, self.fixed)

    def shape_after(self, shape: tuple[int, ...], params: Params) -> tuple[int, ...]:
        """The shape (B, C, H, W) of the result for an input of ``shape``."""
        return self.resized(shape, params) if self.resized else shape

    def sample(
        self,
        shape: tuple[int, ...],
        *,
        severity: float | None = None,
        generator: torch.Generator,
    ) -> Params:
        """Draws parameters for a batch of ``shape`` (B, C, H, W), without seeing it.

        Args:
            severity: 0 (identity) to 5, fractions interpolate; below 1 the result of severity 1 is blended
                with the input. None: the fixed severity, else every knob is drawn from its span.

        Raises:
            UsageError: a severity outside 0 to 5.
        """
        count, short_side = shape[0], min(shape[-2:])
        levels = self._severities(count, severity, generator)
        strength = torch.ones(count, dtype=torch.float64) if levels is None else levels.clamp(max=1.0)
        values = {
            key: self._draw(key, knob, count, short_side, levels, generator)
            for key, knob in self.knobs.items()
            if not knob.text or key in self.fixed
        }
        return Params(self.name, draw.draw_seeds(count, generator), strength, values)

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Applies recorded parameters to ``x`` (``B x C x H x W``); deterministic, ``x`` is not changed.

        Raises:
            RestoreError: the parameters belong to another degradation or another number of samples.
        """
        if params.name != self.name or len(params) != len(x):
            raise RestoreError(
                f"expected parameters of {self.name!r} for {len(x)} samples, "
                f"got {params.name!r} for {len(params)}"
            )
        if not bool((params.strength > 0).any()):
            return x.clone()
        # One memory layout inside, so that the same numbers give the same bits; the caller's comes back out.
        y = self.function(x.contiguous(), seed=params.seeds, **params.values)
        if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
            y = y.contiguous(memory_format=torch.channels_last)
        if bool((params.strength >= 1).all()):
            return y
        if not self.keeps_size:
            raise UsageError(f"{self.name}: a severity between 0 and 1 has no meaning where the size changes")
        strength = params.strength.to(y).view(-1, 1, 1, 1)
        blended = x + strength * (y - x)
        return torch.where(strength >= 1, y, torch.where(strength <= 0, x, blended))

    def __call__(
        self, x: Tensor, *, severity: float | None = None, generator: torch.Generator
    ) -> tuple[Tensor, Params]:
        params = self.sample(tuple(x.shape), severity=severity, generator=generator)
        return self.apply(x, params), params

    def _severities(self, count: int, severity: float | None, g: torch.Generator) -> Tensor | None:
        wanted: Value | None = severity if severity is not None else self.fixed.get("severity")
        if wanted is None:
            return None
        low, high = value_ends(self.name, "severity", wanted)
        if not 0 <= low <= high <= 5:
            raise UsageError(f"{self.name}: expected severity 0 to 5, got {wanted}")
        levels = (
            draw.draw_uniform(count, low, high, g)
            if low != high
            else torch.full((count,), low, dtype=torch.float64)
        )
        return levels if self.keeps_size else levels[:1].repeat(count)

    def _draw(
        self, key: str, knob: Knob, count: int, short_side: int, levels: Tensor | None, g: torch.Generator
    ) -> Any:
        """B values or names of one knob."""
        drawn = self._draw_each(key, knob, count, short_side, levels, g)
        if not knob.shared:
            return drawn
        return drawn[:1] * count if isinstance(drawn, list) else drawn[:1].repeat(count)

    def _draw_each(
        self, key: str, knob: Knob, count: int, short_side: int, levels: Tensor | None, g: torch.Generator
    ) -> Tensor | list[str]:
        given = self.fixed.get(key)
        if knob.text:
            return [str(given)] * count
        if knob.choices:
            options = str(knob.default if given is None else given).split("|")
            if len(options) == 1:
                return options * count
            return [options[i] for i in draw.draw_choice(count, len(options), g).tolist()]
        if given is not None:
            low, high = (v * knob.unit for v in value_ends(self.name, key, given))
            return _between(count, low, high, knob, g)
        if levels is not None and knob.levels is not None:
            table, is_length = knob.levels, knob.is_length
            drawn = [from_table(table, s, short_side, is_length=is_length) for s in levels.tolist()]
            values = torch.tensor(drawn, dtype=torch.float64)
            return values.round() if knob.whole else values
        if knob.default is not None:
            return torch.full((count,), float(knob.default), dtype=torch.float64)
        return _between(count, *knob.span, knob, g)


def _between(count: int, low: float, high: float, knob: Knob, g: torch.Generator) -> Tensor:
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
