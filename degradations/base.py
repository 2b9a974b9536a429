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
from restore.degradations.knob import Knob, check_value, draw_between, recorded_problem, value_ends
from restore.degradations.params import Params
from restore.degradations.severity import from_table
from restore.errors import RestoreError, UsageError, did_you_mean
from restore.names import Value, format_name


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

    def check_recorded(self, params: Params) -> None:
        """Refuses parameters that this degradation never draws.

        Raises:
            RestoreError: parameters that are unknown, of another kind or not legal.
        """
        for key, column in params.values.items():
            if key not in self.knobs:
                raise RestoreError(
                    f"{self.name}: expected recorded values of {', '.join(self.knobs)}, got {str(key)[:40]!r}"
                )
            if problem := recorded_problem(self.knobs[key], column):
                raise RestoreError(
                    f"{self.name}: expected {problem} as recorded {key}",
                    hint="use a params.jsonl as it was written",
                )

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
            return draw_between(count, low, high, knob, g)
        if levels is not None and knob.levels is not None:
            table, is_length = knob.levels, knob.is_length
            drawn = [from_table(table, s, short_side, is_length=is_length) for s in levels.tolist()]
            values = torch.tensor(drawn, dtype=torch.float64)
            return values.round() if knob.whole else values
        if knob.default is not None:
            return torch.full((count,), float(knob.default), dtype=torch.float64)
        return draw_between(count, *knob.span, knob, g)
