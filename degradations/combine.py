"""Combinators: which degradations happen to a sample, how often and in what order, drawn for every sample.

What a combinator decides is decided when parameters are drawn. What is left to apply is one plain list of elementary
degradations per sample, in order, and that list is what ``Params`` holds and what goes to JSON: a replay needs
neither the combinator nor its probabilities. Samples are drawn and applied one at a time, so in between they may have
different sizes; only at the end a batch must agree on one.

They take degradations, pipelines and each other::

    Compose([OneOf([noise, shot], weights=(0.7, 0.3)), Maybe([blur], p=0.5), Shuffle([jpeg, resize])])
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.params import Params
from restore.degradations.pipeline import Pipeline
from restore.errors import RestoreError, UsageError

Step = Degradation | Pipeline
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Combinator(Pipeline):
    """What all of them share: per-sample draws, and applying what was drawn."""

    name: str = "combinator"

    @abstractmethod
    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        """The steps that happen to one sample (1, C, H, W), in order."""

    def find(self, name: str) -> Degradation | None:
        """The elementary degradation of that name among the steps and inside of them."""
        return _found(self.steps, name)

    def draw_sample(
        self, shape: Shape, severity: float | None, g: torch.Generator
    ) -> tuple[list[Params], Shape]:
        """Parameters of one sample (1, C, H, W), elementary and in order, and the shape of the result."""
        return draw_steps(self.chosen(shape, g), shape, severity, g)

    def sample(self, shape: Shape, *, severity: float | None = None, generator: torch.Generator) -> Params:
        """Draws what happens to every sample; see :meth:`Degradation.sample`."""
        if severity is not None and not 0 <= severity <= 5:
            raise UsageError(f"{self.name}: expected severity 0 to 5, got {severity}")
        seeds = draw.draw_seeds(shape[0], generator)
        rows = []
        for seed in seeds.tolist():
            g = draw.generator(draw.child_seed(seed, self.name))
            drawn, _ = self.draw_sample((1, *shape[1:]), severity, g)
            rows.append([p.to_json()[0] for p in drawn])
        strength = torch.full((len(seeds),), 0.0 if severity == 0 else 1.0, dtype=torch.float64)
        return Params(self.name, seeds, strength, {"steps": rows})

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Applies what was drawn, sample by sample.

        Raises:
            RestoreError: parameters of something else, or of another number of samples.
            UsageError: samples of one batch that come out in different sizes.
        """
        rows = params.values.get("steps")
        if params.name != self.name or rows is None or len(params) != len(x):
            raise RestoreError(
                f"expected parameters of {self.name!r} for {len(x)} samples, "
                f"got {params.name!r} for {len(params)}"
            )
        made = [
            self._apply_one(part, records, strength)
            for part, records, strength in zip(
                x.contiguous().split(1), rows, params.strength.tolist(), strict=True
            )
        ]
        sizes = {tuple(y.shape) for y in made}
        if len(sizes) > 1:
            raise UsageError(
                f"{self.name}: the samples of the batch come out in {len(sizes)} different sizes",
                hint="apply them one at a time, or end with resize to one size",
            )
        y = torch.cat(made)
        if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
            y = y.contiguous(memory_format=torch.channels_last)
        return y

    def shape_after(self, shape: Shape, params: Params) -> Shape:
        """The shape (B, C, H, W) of the result for an input of ``shape``."""
        if not bool((params.strength > 0).any()):
            return shape
        after = (1, *shape[1:])
        for record in params.values["steps"][0]:
            after = self._known(record).shape_after(after, Params.from_json([record]))
        return (shape[0], *after[1:])

    def _apply_one(self, x: Tensor, records: list[dict[str, Any]], strength: float) -> Tensor:
        """One sample ``1 x C x H x W``."""
        y = x
        if strength <= 0:
            return y
        for record in records:
            y = self._known(record).apply(y, Params.from_json([record]))
        if strength >= 1:
            return y
        if y.shape != x.shape:
            raise UsageError(f"{self.name}: a strength between 0 and 1 has no meaning where the size changes")
        return x + strength * (y - x)

    def _known(self, record: dict[str, Any]) -> Degradation:
        found = self.find(record["name"])
        if found is None:
            raise RestoreError(
                f"{self.name}: a degradation {record['name']!r} is recorded, but is none of its own"
            )
        return found


@dataclass(frozen=True)
class Compose(Combinator):
    """All of the steps in order, as a :class:`Pipeline`, but drawn per sample."""

    name: str = "compose"

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        return self.steps


@dataclass(frozen=True)
class OneOf(Combinator):
    """One of the steps, each as likely unless ``weights`` says otherwise."""

    name: str = "one-of"
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        w = self.weights
        if not self.steps or (w is not None and (len(w) != len(self.steps) or min(w) < 0 or sum(w) <= 0)):
            raise UsageError(
                f"one-of: expected steps and as many weights from 0, got {len(self.steps)} steps and {w}"
            )

    @property
    def label(self) -> str:
        weights = self.weights or [1.0] * len(self.steps)
        named = zip(weights, self.steps, strict=True)
        return f"one-of({' | '.join(f'{w:g} {s.label}' if self.weights else s.label for w, s in named)})"

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        return [self.steps[draw.draw_weighted(self.weights or [1.0] * len(self.steps), g)]]


@dataclass(frozen=True)
class Maybe(Combinator):
    """All of the steps with probability ``p``, else none."""

    name: str = "maybe"
    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise UsageError(f"maybe: expected a probability p from 0 to 1, got {self.p}")

    @property
    def label(self) -> str:
        return f"maybe({self.p:g} {super().label})"

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        return self.steps if float(draw.draw_uniform(1, 0, 1, g)) < self.p else ()


@dataclass(frozen=True)
class Shuffle(Combinator):
    """All of the steps in a random order."""

    name: str = "shuffle"

    @property
    def label(self) -> str:
        return f"shuffle({', '.join(s.label for s in self.steps)})"

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        return [self.steps[i] for i in draw.draw_order(len(self.steps), g)]


@dataclass(frozen=True)
class Repeat(Combinator):
    """The steps ``times`` times over, drawn anew each time; a pair draws how often, both ends included."""

    name: str = "repeat"
    times: int | tuple[int, int] = 2

    def __post_init__(self) -> None:
        low, high = self._ends()
        if not 0 <= low <= high:
            raise UsageError(f"repeat: expected times from 0, or a pair low, high, got {self.times}")

    @property
    def label(self) -> str:
        low, high = self._ends()
        return f"repeat({low if low == high else f'{low}..{high}'} x {super().label})"

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        low, high = self._ends()
        return list(self.steps) * (low + int(draw.draw_choice(1, high - low + 1, g)))

    def _ends(self) -> tuple[int, int]:
        return (self.times, self.times) if isinstance(self.times, int) else (self.times[0], self.times[1])


@dataclass(frozen=True)
class Drawn(Combinator):
    """What a recorded combinator is replayed with: it knows the degradations and draws nothing."""

    name: str = "drawn"
    known: Mapping[str, Degradation] | None = None

    def find(self, name: str) -> Degradation | None:
        return (self.known or {}).get(name)

    def chosen(self, shape: Shape, g: torch.Generator) -> Sequence[Step]:
        raise RestoreError("recorded parameters are applied, not drawn")


def draw_steps(
    steps: Sequence[Step], shape: Shape, severity: float | None, g: torch.Generator
) -> tuple[list[Params], Shape]:
    """Every step of one sample from a generator of its own, flat; each sees the shape the last one left."""
    seed = int(draw.draw_seeds(1, g))
    drawn: list[Params] = []
    for place, step in enumerate(steps):
        child = draw.generator(draw.child_seed(seed, place, step.name))
        if isinstance(step, Combinator):
            inner, shape = step.draw_sample(shape, severity, child)
        elif isinstance(step, Pipeline):
            inner, shape = draw_steps(step.steps, shape, severity, child)
        else:
            inner = [step.sample(shape, severity=severity, generator=child)]
            shape = step.shape_after(shape, inner[0])
        drawn += inner
    return drawn, shape


def _found(steps: Sequence[Step], name: str) -> Degradation | None:
    for step in steps:
        if isinstance(step, Degradation):
            inner = step if step.name == name else None
        else:
            inner = step.find(name) if isinstance(step, Combinator) else _found(step.steps, name)
        if inner is not None:
            return inner
    return None
