"""The loop of all methods: y = A x + noise, x = G(inputs(variables)), a frozen generator, many pictures at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.operators import Operator, identity
from restore.errors import UsageError
from restore.inverse.gan.adam import BatchedAdam, Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.method import Method
from restore.inverse.gan.statistics import CodeStatistics, code_statistics
from restore.models.stylegan2 import StyleGAN2

# (A x, y) in [0, 1] to B values; gradients pass.
Perceptual = Callable[[Tensor, Tensor], Tensor]
# LPIPS and its like say little about smaller pictures.
PERCEPTUAL_SIDE = 64


@dataclass
class Inversion:
    """What a fit found, picture by picture.

    Attributes:
        image: ``N x C x R x R`` in [0, 1], clamped.
        latents: the variables, first axis N: what the method looked for.
        ws: ``N x num_ws x w_dim``.
        loss: the last value of the objective. steps: how many were taken. Per picture.
        log: (step, mean loss of the pictures still at work).
        data_term: "mse" or "mse + perceptual". seeds: of the draws, one per picture.
    """

    image: Tensor
    latents: Variables
    ws: Tensor
    loss: Tensor
    steps: list[int]
    log: list[tuple[int, float]]
    data_term: str
    seeds: list[int]
    seconds: float
    diagnostics: list[dict[str, Any]] = field(default_factory=list)


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
        self.net = net.eval().requires_grad_(False)
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
                run = _Run(self, y[at : at + batch].to(net.constant), operator, own[at : at + batch], steps)
                run.noise_sigma, run.patience, run.tolerance = noise_sigma, patience, tolerance
                parts.append(run.go(budget, report))
            tries.append(_joined(parts, own, time.perf_counter() - began))
        return _best(tries, y.to(net.constant), operator)

    def look(self, latents: Variables, seeds: Sequence[int], *path: str | int) -> tuple[Tensor, Tensor]:
        """Pictures in [-1, 1] (not clamped) and codes of found variables, with draws of their own."""
        with torch.no_grad():
            draws = Draws(seeds, *path, device=self.net.constant.device)
            inputs = self.method.inputs(self.net, latents, draws, 1.0)
            return inputs.picture(self.net), inputs.ws

    def as_reconstructor(self, **options: Any) -> Callable[[Tensor, Any], Tensor]:
        """``reconstruct(y, physics)`` for toolboxes whose operators have ``A`` and ``A_adjoint`` (deepinv)."""

        def reconstruct(y: Tensor, physics: Any) -> Tensor:
            shape = (self.net.channels, self.net.resolution, self.net.resolution)
            operator = Operator(
                type(physics).__name__, shape, tuple(y.shape[1:]), physics.A, physics.A_adjoint
            )
            return self.fit(y, operator, **options).image

        return reconstruct


class _Run:
    """One batch on its way."""

    noise_sigma, patience, tolerance = 0.0, 0, 0.005

    def __init__(
        self, inverter: Inverter, y: Tensor, operator: Operator, seeds: Sequence[int], steps: int
    ) -> None:
        self.inverter, self.y, self.operator, self.steps = inverter, y, operator, steps
        self.seeds = list(seeds)
        self.net, self.method = inverter.net, inverter.method
        device = self.net.constant.device
        self.draws = Draws(seeds, "fit", device=device)
        guess = first_look(y, operator)
        self.v = self.method.variables(self.net, guess, self.draws)
        self.use_perceptual = (
            inverter.perceptual is not None
            and self.method.perceptual > 0
            and y.ndim == 4
            and y.shape[1] in (1, 3)
            and min(y.shape[2:]) >= PERCEPTUAL_SIDE
        )

    def go(self, budget: float | None, report: Callable[[int, int, float], None]) -> dict[str, Any]:
        began = time.perf_counter()
        count, method = len(self.y), self.method
        rows = torch.arange(count)
        done: dict[int, tuple[Variables, float, int]] = {}
        smooth = torch.full((count,), float("nan"))
        best, best_step = torch.full((count,), float("inf")), torch.zeros(count)
        log: list[tuple[int, float]] = []
        adam = BatchedAdam(self.v, method.rates(self.v), betas=method.betas)
        stage, step, loss = 0, 0, torch.full((count,), float("nan"))
        while step < self.steps and len(rows):
            spent = 0.0 if budget is None else (time.perf_counter() - began) / max(budget, 1e-9)
            if spent >= 1:
                break
            progress = max(step / self.steps, spent)
            if int(progress * method.stages) > stage:
                stage += 1
                self.v = method.advance(self.net, self.v, self.draws, stage)
                adam = BatchedAdam(self.v, method.rates(self.v), betas=method.betas)
            within = progress * method.stages - stage
            loss = self._step(adam, within)
            step += 1
            if step == 1 or step % max(self.steps // 50, 1) == 0 or step == self.steps:
                log.append((step, float(loss.mean())))
                report(step, self.steps, log[-1][1])
            if self.patience:
                now = loss.cpu()
                smooth = torch.where(smooth.isnan(), now, smooth * 0.95 + now * 0.05)
                better = smooth < best * (1 - self.tolerance)
                best, best_step = torch.where(better, smooth, best), torch.where(better, step, best_step)
                flat = step - best_step >= self.patience
                if bool(flat.any()) and stage == method.stages - 1:
                    for i in flat.nonzero()[:, 0].tolist():
                        done[int(rows[i])] = (
                            {k: t[i].clone() for k, t in self.v.items()},
                            float(now[i]),
                            step,
                        )
                    kept = (~flat).nonzero()[:, 0]
                    rows, smooth, best, best_step = rows[kept], smooth[kept], best[kept], best_step[kept]
                    loss = loss[kept.to(loss.device)]
                    self._keep(adam, kept)
        for i, row in enumerate(rows.tolist()):
            done[row] = ({k: t[i].clone() for k, t in self.v.items()}, float(loss[i]), step)
        latents = {k: torch.stack([done[i][0][k] for i in range(count)]) for k in done[0][0]}
        image, ws = self.inverter.look(latents, self.seeds, "final")
        return {
            "image": (image.clamp(-1, 1) + 1) / 2,
            "latents": latents,
            "ws": ws,
            "loss": torch.tensor([done[i][1] for i in range(count)]),
            "steps": [done[i][2] for i in range(count)],
            "log": log,
            "data_term": "mse + perceptual" if self.use_perceptual else "mse",
        }

    def _step(self, adam: BatchedAdam, progress: float) -> Tensor:
        """One update; the loss of every picture before it."""
        method = self.method
        moving = list(adam.rates)
        for key in moving:
            self.v[key].requires_grad_(True)
        loss = torch.zeros(len(self.y), device=self.y.device)
        for _ in range(method.draws):
            inputs = method.inputs(self.net, self.v, self.draws, progress)
            loss = loss + self._data(inputs.picture(self.net))
            if inputs.penalty is not None:
                loss = loss + inputs.penalty
        loss = loss / method.draws
        gradients = torch.autograd.grad(loss.sum(), [self.v[k] for k in moving], allow_unused=True)
        for key in moving:
            self.v[key].requires_grad_(False)
        table = {k: g for k, g in zip(moving, gradients, strict=True) if g is not None}
        adam.step(table, {k: method.factor(progress, k) for k in table})
        method.after_step(self.net, self.v)
        return loss.detach()

    def _data(self, x: Tensor) -> Tensor:
        """B values, in the scale of pictures in [-1, 1] (a residual there is twice that in [0, 1])."""
        measured = self.operator((x + 1) / 2)
        if self.noise_sigma and self.method.simulates_noise:
            measured = measured + self.noise_sigma * self.draws.normal(*measured.shape[1:])
        squares = 4 * (measured - self.y).square().flatten(1)
        data = squares.sum(1) if self.method.data == "sum" else squares.mean(1)
        if self.use_perceptual:
            assert self.inverter.perceptual is not None
            data = data + self.method.perceptual * self.inverter.perceptual(measured, self.y)
        return data

    def _keep(self, adam: BatchedAdam, rows: Tensor) -> None:
        adam.keep(rows)
        self.draws.keep(rows)
        self.y = self.y[rows.to(self.y.device)]


def first_look(y: Tensor, operator: Operator) -> Tensor:
    """``B x C x R x R`` in [-1, 1]: A' y, scaled so that A of it is as near ``y`` as a scale can make it."""
    back = operator.transpose(y)
    again = operator(back)
    axes = tuple(range(1, y.ndim))
    scale = (again * y).sum(axes) / again.square().sum(axes).clamp(min=1e-12)
    return (back * scale.view(-1, 1, 1, 1)).clamp(0, 1) * 2 - 1


def _joined(parts: list[dict[str, Any]], seeds: list[int], seconds: float) -> Inversion:
    first = parts[0]
    return Inversion(
        image=torch.cat([p["image"] for p in parts]),
        latents={k: torch.cat([p["latents"][k] for p in parts]) for k in first["latents"]},
        ws=torch.cat([p["ws"] for p in parts]),
        loss=torch.cat([p["loss"] for p in parts]),
        steps=[s for p in parts for s in p["steps"]],
        log=first["log"],
        data_term=first["data_term"],
        seeds=seeds,
        seconds=seconds,
    )


def _best(tries: list[Inversion], y: Tensor, operator: Operator) -> Inversion:
    """Of every picture the try with the smallest residual."""
    if len(tries) == 1:
        return tries[0]
    errors = torch.stack([(operator(t.image) - y).square().flatten(1).mean(1) for t in tries])
    chosen = errors.argmin(0).tolist()

    def pick(parts: list[Tensor]) -> Tensor:
        return torch.stack([parts[c][i] for i, c in enumerate(chosen)])

    return Inversion(
        image=pick([t.image for t in tries]),
        latents={k: pick([t.latents[k] for t in tries]) for k in tries[0].latents},
        ws=pick([t.ws for t in tries]),
        loss=pick([t.loss for t in tries]),
        steps=[tries[c].steps[i] for i, c in enumerate(chosen)],
        log=tries[0].log,
        data_term=tries[0].data_term,
        seeds=[tries[c].seeds[i] for i, c in enumerate(chosen)],
        seconds=tries[-1].seconds,
    )
