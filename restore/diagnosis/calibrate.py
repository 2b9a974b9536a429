"""Fits the perceptrons of :mod:`restore.diagnosis.calibration` to pictures whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from restore.diagnosis.calibration import FAR, Head

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Fit:
    """A head, and on pictures it was not fitted to: how often its interval held the truth, and how wide it was."""

    head: Head
    coverage: float
    width: float
    error: float


def fit_head(
    statistics: np.ndarray,
    truth: np.ndarray,
    picture: np.ndarray,
    *,
    hidden: int = 24,
    steps: int = 3000,
    seed: int = 0,
) -> Fit:
    """A head that gives three quantiles of the truth.

    Args:
        statistics: ``cases x n``. ``truth``: of every case, as the head shall give it (a logarithm, say).
        picture: which photograph every case was made of: a fifth of them is held out; half of that makes the
            interval as wide as it must be (split conformal), the other half reports.
    """
    generator = np.random.default_rng(seed)
    names = generator.permutation(np.unique(picture))
    parts = np.split(names, [len(names) // 10, len(names) // 5])
    widening, reporting, fitting = (np.isin(picture, part) for part in parts)
    mean, scale = statistics[fitting].mean(0), statistics[fitting].std(0) + 1e-3
    x = torch.from_numpy(np.clip((statistics - mean) / scale, -FAR, FAR).astype(np.float32))
    weights = _descend(x[fitting], torch.from_numpy(truth[fitting].astype(np.float32)), hidden, steps, seed)
    with torch.no_grad():
        given = _apply(x, *weights).double().numpy()
    # Never narrower: what is exact (no noise, no blur) would else pull the ends inwards.
    low = max(0.0, float(np.quantile((given[:, 0] - truth)[widening], QUANTILES[2])))
    high = max(0.0, float(np.quantile((truth - given[:, 2])[widening], QUANTILES[2])))
    numbers = [w.detach().double().numpy() for w in weights]
    ends = float(truth.min()), float(truth.max())
    head = Head(
        mean, scale, numbers[0], numbers[1], numbers[2], numbers[3], np.array([low, high]), ends[0], ends[1]
    )
    lower = np.minimum(given[:, 0] - low, given[:, 1])[reporting]
    upper = np.maximum(given[:, 2] + high, given[:, 1])[reporting]
    true = truth[reporting]
    return Fit(
        head,
        float(((lower <= true + 1e-6) & (true - 1e-6 <= upper)).mean()),
        float((upper - lower).mean()),
        float(np.abs(given[reporting, 1] - true).mean()),
    )


def _descend(x: Tensor, truth: Tensor, hidden: int, steps: int, seed: int) -> tuple[Tensor, ...]:
    """Weights after AdamW on the pinball loss, in the order of a head's fields."""
    generator = torch.Generator().manual_seed(seed)
    n = x.shape[1]
    quantiles = torch.tensor(QUANTILES)
    weights = (
        torch.randn(hidden, n, generator=generator) * 0.5 / n**0.5,
        torch.zeros(hidden),
        torch.zeros(3, hidden + n),
        torch.quantile(truth, quantiles),
    )
    for w in weights:
        w.requires_grad_()
    optimiser = torch.optim.AdamW(weights, lr=1e-2, weight_decay=2e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(x), (512,), generator=generator)
        error = truth[chosen, None] - _apply(x[chosen], *weights)
        loss = torch.maximum(quantiles * error, (quantiles - 1) * error).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return weights


def _apply(x: Tensor, hidden: Tensor, hidden_bias: Tensor, out: Tensor, out_bias: Tensor) -> Tensor:
    return torch.cat([torch.tanh(x @ hidden.T + hidden_bias), x], 1) @ out.T + out_bias
