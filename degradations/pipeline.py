"""Several degradations in order, drawn and replayed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.params import Params
from restore.errors import RestoreError
from restore.names import Value


@dataclass(frozen=True)
class Pipeline:
    """Steps applied one after the other; the same face as a :class:`Degradation`.

    Every step draws from a generator of its own, seeded from the pipeline's draw and the step's place, so
    that no two steps are correlated and adding one at the end leaves the others' draws as they were.
    """

    steps: Sequence[Degradation | Pipeline]
    name: str = "pipeline"

    @property
    def label(self) -> str:
        """The steps' labels joined by `` + ``."""
        return " + ".join(s.label for s in self.steps)

    @property
    def keeps_size(self) -> bool:
        """Whether what comes out is as large as what went in."""
        return all(s.keeps_size for s in self.steps)

    @property
    def knobs(self) -> Mapping[str, Knob]:
        """Parameters of its own: none, but for a named mixture."""
        return {}

    @property
    def fixed(self) -> Mapping[str, Value]:
        """Values given to parameters of its own."""
        return {}

    def contents(self) -> Sequence[Degradation | Pipeline]:
        """Everything that it may do to a sample."""
        return self.steps

    def shape_after(self, shape: tuple[int, ...], params: Params) -> tuple[int, ...]:
        """The shape (B, C, H, W) of the result for an input of ``shape``."""
        for step, drawn in zip(self.steps, params.steps, strict=True):
            shape = step.shape_after(shape, drawn)
        return shape

    def sample(
        self, shape: tuple[int, ...], *, severity: float | None = None, generator: torch.Generator
    ) -> Params:
        """Draws every step's parameters; see :meth:`Degradation.sample`."""
        seeds = draw.draw_seeds(shape[0], generator)
        drawn = []
        for place, step in enumerate(self.steps):
            g = draw.generator(draw.child_seed(int(seeds[0]), place, step.name))
            drawn.append(step.sample(shape, severity=severity, generator=g))
            shape = step.shape_after(shape, drawn[-1])
        return Params(self.name, seeds, torch.ones(len(seeds), dtype=torch.float64), steps=tuple(drawn))

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Applies the steps with the parameters drawn for each.

        Raises:
            RestoreError: parameters of another pipeline.
        """
        expected, got = [s.name for s in self.steps], [p.name for p in params.steps]
        if expected != got:
            raise RestoreError(f"expected parameters of the steps {expected}, got {got}")
        y = x.clone()
        for step, drawn in zip(self.steps, params.steps, strict=True):
            y = step.apply(y, drawn)
        return y

    def __call__(
        self, x: Tensor, *, severity: float | None = None, generator: torch.Generator
    ) -> tuple[Tensor, Params]:
        params = self.sample(tuple(x.shape), severity=severity, generator=generator)
        return self.apply(x, params), params
