"""A generator and a method, fitted to measurements: batches, starts, budgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.operators import Operator, identity
from restore.errors import UsageError
from restore.inverse.gan.adam import Variables
from restore.inverse.gan.descent import Descent, Perceptual, look
from restore.inverse.gan.inversion import Inversion, best_of, join_batches
from restore.inverse.gan.method import Method
from restore.inverse.gan.statistics import CodeStatistics, code_statistics
from restore.models.stylegan2 import StyleGAN2


class Inverter:
    """A generator and a method, ready to fit.

    Args:
        net: frozen here; its weights are never changed.
        perceptual: a distance for picture-like measurements of at least 64 px, weighted as the method says.
        statistics: of the generator's codes; None: computed once (100,000 codes).

    Raises:
        UsageError: the method needs something that the generator lacks.
    """

    def __init__(
        self,
        net: StyleGAN2,
        method: Method,
        *,
        perceptual: Perceptual | None = None,
        statistics: CodeStatistics | None = None,
    ) -> None:
        missing = method.needs - net.capabilities
        if missing:
            raise UsageError(
                f"{method.name} needs a generator with {', '.join(sorted(missing))}, this one has "
                f"{', '.join(sorted(net.capabilities))}"
            )
        self.net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.method, self.perceptual = method, perceptual
        self.statistics = (statistics or code_statistics(net)).to(net.constant.device)
        method.prepare(net, self.statistics)

    def fit(
        self,
        y: Tensor,
        operator: Operator | None = None,
        *,
        steps: int | None = None,
        seeds: Sequence[int] | int = 0,
        batch: int = 16,
        restarts: int = 1,
        noise_sigma: float = 0.0,
        patience: int = 0,
        tolerance: float = 0.005,
        time_budget: float | None = None,
        report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    ) -> Inversion:
        """Looks for pictures x in [0, 1] with A x near ``y``.

        A picture's result depends on its own measurement and seed, not on its neighbours or on ``batch``.

        Args:
            y: measurements, first axis N, in the units of ``operator`` on pictures in [0, 1].
            operator: A, one for all pictures; None: the identity.
            steps: None: as published for the method.
            seeds: one per picture, or one number from which the N are counted.
            restarts: how often to start anew with other draws; of each picture the one nearest to ``y`` is kept.
            noise_sigma: standard deviation of the noise known to be in ``y`` (units of [0, 1]); SPHInX adds as much
                to A x afresh at every step, total variation is weighted by it, others do not ask.
            patience: a picture is finished when its smoothed loss has not fallen by ``tolerance`` of itself for this
                many steps; 0: never before ``steps``. time_budget: seconds for all; schedules follow whichever of
                steps and time is further.
            report: called now and then with (step, steps, mean loss).

        Raises:
            UsageError: measurements that do not fit the operator or the generator, or a number out of range.
        """
        net = self.net
        shape = (net.channels, net.resolution, net.resolution)
        operator = identity(shape) if operator is None else operator
        steps = self.method.steps if steps is None else steps
        numbers = [seeds + i for i in range(len(y))] if isinstance(seeds, int) else list(seeds)
        if operator.input_shape != shape or tuple(y.shape[1:]) != operator.output_shape:
            raise UsageError(
                f"expected measurements of {operator.name} {operator.output_shape} of pictures {shape}, "
                f"got {tuple(y.shape[1:])} of {operator.input_shape}"
            )
        if len(numbers) != len(y) or not len(y) or batch < 1 or steps < 0:
            raise UsageError(
                f"expected as many seeds as pictures and positive numbers, got {len(numbers)} seeds for {len(y)} "
                f"pictures, batch {batch}, steps {steps}"
            )
        self.method.noise = noise_sigma
        if restarts < 1:
            raise UsageError(f"expected at least one start, got restarts {restarts}")
        began = time.perf_counter()
        tries = []
        for again in range(restarts):
            own = numbers if again == 0 else [draw.child_seed(n, "restart", again) for n in numbers]
            parts = []
            for at in range(0, len(y), batch):
                budget = None
                if time_budget is not None:
                    left = time_budget - (time.perf_counter() - began)
                    shares = (len(y) - at + len(y) * (restarts - 1 - again)) / min(batch, len(y) - at)
                    budget = left / shares
                run = Descent(
                    net, self.method, y[at : at + batch].to(net.constant), operator,
                    seeds=own[at : at + batch], steps=steps, perceptual=self.perceptual,
                )  # fmt: skip
                run.noise_sigma, run.patience, run.tolerance = noise_sigma, patience, tolerance
                parts.append(run.go(budget, report))
            tries.append(join_batches(parts, own, time.perf_counter() - began))
        return best_of(tries, y.to(net.constant), operator)

    def look(self, latents: Variables, seeds: Sequence[int], *path: str | int) -> tuple[Tensor, Tensor]:
        """Pictures in [-1, 1] (not clamped) and codes of found variables, with draws of their own."""
        return look(self.net, self.method, latents, seeds, *path)

    def as_reconstructor(self, **options: Any) -> Callable[[Tensor, Any], Tensor]:
        """``reconstruct(y, physics)`` for toolboxes whose operators have ``A`` and ``A_adjoint`` (deepinv)."""

        def reconstruct(y: Tensor, physics: Any) -> Tensor:
            shape = (self.net.channels, self.net.resolution, self.net.resolution)
            operator = Operator(
                type(physics).__name__, shape, tuple(y.shape[1:]), physics.A, physics.A_adjoint
            )
            return self.fit(y, operator, **options).image

        return reconstruct
