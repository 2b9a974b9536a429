"""What a named mixture is: a plain function that decides for one sample which degradations happen to it.

::

    def drizzle(d: Draws, find: Find, values):
        return [find("rain:severity=1"), find(f"jpeg:quality={d.whole(40, 90)}")]

What it decided is recorded as the elementary degradations in order (see ``combine``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.combine import Combinator, Shape, Step
from restore.degradations.knob import Knob, check_value, value_ends
from restore.degradations.params import Params
from restore.errors import UsageError, did_you_mean
from restore.names import Value, format_name

Find = Callable[[str], Degradation]


@dataclass(frozen=True)
class Draws:
    """What a mixture decides with: the size of the sample and random numbers of its own."""

    height: int
    width: int
    g: torch.Generator

    def uniform(self, low: float, high: float) -> float:
        """U(low, high)."""
        return float(draw.draw_uniform(1, low, high, self.g))

    def whole(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(draw.draw_choice(1, high - low + 1, self.g))

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        return self.uniform(0.0, 1.0) < p

    def one(self, options: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """One of the names, each as likely unless ``weights`` says otherwise."""
        return options[draw.draw_weighted(weights or [1.0] * len(options), self.g)]

    def order(self, count: int) -> list[int]:
        """The numbers below ``count`` in random order."""
        return draw.draw_order(count, self.g)


Build = Callable[[Draws, Find, Mapping[str, float]], Sequence[Step]]


@dataclass(frozen=True)
class Recipe:
    """A row of the table of mixtures.

    Args:
        doc: what it is, one line.
        build: what decides for one sample.
        needs: the elementary degradations that it may name.
        knobs: its own parameters; each has a number as default, and takes one number.
        keeps_size: whether the size stays; otherwise there is a knob ``scale``.
    """

    doc: str
    build: Build
    needs: tuple[str, ...]
    knobs: Mapping[str, Knob] = field(default_factory=dict)
    keeps_size: bool = True


@dataclass(frozen=True)
class Mixture(Combinator):
    """A named mixture, with the face of a degradation.

    Severity reaches those of its steps whose strength the recipe leaves open.
    """

    recipe: Recipe = field(kw_only=True)
    lookup: Find = field(kw_only=True)
    given: Mapping[str, Value] = field(default_factory=dict, kw_only=True)

    @property
    def label(self) -> str:
        return format_name(self.name, self.given)

    @property
    def keeps_size(self) -> bool:
        return self.recipe.keeps_size or self.given.get("scale") == 1

    @property
    def knobs(self) -> Mapping[str, Knob]:
        return self.recipe.knobs

    @property
    def fixed(self) -> Mapping[str, Value]:
        return self.given

    def with_values(self, **values: Value) -> Mixture:
        """The same mixture with parameters fixed; ``severity`` fixes the severity.

        Raises:
            UsageError: an unknown parameter, or a value that is not legal.
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
                low, high = value_ends(self.name, key, value)
                if low != high:
                    raise UsageError(f"{self.name}: expected one number for {key}, got {value}")
        return replace(self, given={**self.given, **values})

    def contents(self) -> Sequence[Step]:
        """Everything that it may do to a sample."""
        return [self.lookup(name) for name in self.recipe.needs]

    def find(self, name: str) -> Degradation | None:
        return self.lookup(name) if name in self.recipe.needs else None

    def sample(self, shape: Shape, *, severity: float | None = None, generator: torch.Generator) -> Params:
        """Draws what happens to every sample; see :meth:`Degradation.sample`."""
        if severity is None and "severity" in self.given:
            low, high = value_ends(self.name, "severity", self.given["severity"])
            if low == high:
                severity = low
        return super().sample(shape, severity=severity, generator=generator)

    def draw_sample(
        self, shape: Shape, severity: float | None, g: torch.Generator
    ) -> tuple[list[Params], Shape]:
        if severity is None and "severity" in self.given:
            low, high = value_ends(self.name, "severity", self.given["severity"])
            severity = float(draw.draw_uniform(1, low, high, g)) if low < high else low
        return super().draw_sample(shape, severity, g)

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        numbers = {key: float(knob.default or 0) for key, knob in self.knobs.items()}
        numbers |= {k: float(v) for k, v in self.given.items() if k != "severity"}
        draws = Draws(shape[-2], shape[-1], draw.generator(int(draw.draw_seeds(1, g))))
        return self.recipe.build(draws, self.lookup, numbers)
