"""What a fit found, put together from batches and from several starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restore.degradations.operators import Operator
from restore.inverse.gan.adam import Variables


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


def join_batches(parts: list[dict[str, Any]], seeds: list[int], seconds: float) -> Inversion:
    """What the batches of one start found, as one."""
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


def best_of(tries: list[Inversion], y: Tensor, operator: Operator) -> Inversion:
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
