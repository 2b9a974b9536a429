"""The descent of all methods: y = A x + noise, x = G(inputs(variables)), a frozen generator, many pictures at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from restore.degradations.operators import Operator
from restore.inverse.gan.adam import BatchedAdam, Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.method import Method
from restore.models.stylegan2 import StyleGAN2

# (A x, y) in [0, 1] to B values; gradients pass.
Perceptual = Callable[[Tensor, Tensor], Tensor]
# LPIPS and its like say little about smaller pictures.
PERCEPTUAL_SIDE = 64


class Descent:
    """One batch on its way.

    Args:
        perceptual: a distance for picture-like measurements of at least 64 px; None: squares alone.
    """

    noise_sigma, patience, tolerance = 0.0, 0, 0.005

    def __init__(
        self,
        net: StyleGAN2,
        method: Method,
        y: Tensor,
        operator: Operator,
        *,
        seeds: Sequence[int],
        steps: int,
        perceptual: Perceptual | None = None,
    ) -> None:
        self.y, self.operator, self.steps = y, operator, steps
        self.seeds = list(seeds)
        self.net, self.method, self.perceptual = net, method, perceptual
        device = self.net.constant.device
        self.draws = Draws(seeds, "fit", device=device)
        guess = first_look(y, operator)
        self.v = self.method.variables(self.net, guess, self.draws)
        self.use_perceptual = (
            perceptual is not None
            and self.method.perceptual > 0
            and y.ndim == 4
            and y.shape[1] in (1, 3)
            and min(y.shape[2:]) >= PERCEPTUAL_SIDE
        )

    def go(self, budget: float | None, report: Callable[[int, int, float], None]) -> dict[str, Any]:
        """All steps, or as many as ``budget`` seconds allow; the fields of an :class:`Inversion`."""
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
        image, ws = look(self.net, method, latents, self.seeds, "final")
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
            assert self.perceptual is not None
            data = data + self.method.perceptual * self.perceptual(measured, self.y)
        return data

    def _keep(self, adam: BatchedAdam, rows: Tensor) -> None:
        adam.keep(rows)
        self.draws.keep(rows)
        self.y = self.y[rows.to(self.y.device)]


def look(
    net: StyleGAN2, method: Method, latents: Variables, seeds: Sequence[int], *path: str | int
) -> tuple[Tensor, Tensor]:
    """Pictures in [-1, 1] (not clamped) and codes of found variables, with draws of their own."""
    with torch.no_grad():
        inputs = method.inputs(net, latents, Draws(seeds, *path, device=net.constant.device), 1.0)
        return inputs.picture(net), inputs.ws


def first_look(y: Tensor, operator: Operator) -> Tensor:
    """``B x C x R x R`` in [-1, 1]: A' y, scaled so that A of it is as near ``y`` as a scale can make it."""
    back = operator.transpose(y)
    again = operator(back)
    axes = tuple(range(1, y.ndim))
    scale = (again * y).sum(axes) / again.square().sum(axes).clamp(min=1e-12)
    return (back * scale.view(-1, 1, 1, 1)).clamp(0, 1) * 2 - 1
