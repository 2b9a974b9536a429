"""Fits the predictor of gains on the outcomes of a pool, and certifies how often acting does harm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import binom
from torch import Tensor

from restore.models.treatment_gain import TreatmentGain

# Worse than given by more than this many decibels is harm; gains are cut here, so that no picture rules the mean.
HARM = -0.1
_CUT = (-4.0, 8.0)
# Fewer pictures acted on certify nothing.
_FEWEST = 50


def read_outcomes(pool: Path, treatments: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Indices of the pictures that were tried, and their gains ``N x T``, NaN where a treatment was not."""
    indices, gains = [], []
    for path in sorted(pool.glob("outcomes-*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            indices.append(row["index"])
            gains.append([row["gains"].get(name, float("nan")) for name in treatments])
    return torch.tensor(indices), torch.tensor(gains, dtype=torch.float32)


def fit_gain(
    x: Tensor, gains: Tensor, *, hidden: int = 64, epochs: int = 60, batch: int = 128, seed: int = 0
) -> TreatmentGain:
    """Smooth L1 of the gain beside cross entropy of harm, where a treatment was tried."""
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed)
    net = TreatmentGain(treatments=gains.shape[1], features=x.shape[1], hidden=hidden)
    net.center.copy_(x.median(0).values)
    net.scale.copy_(1 / x.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(x) // batch))
    known = ~gains.isnan()
    target, harmed = gains.nan_to_num().clamp(*_CUT), (gains.nan_to_num() < HARM).float()
    noise = 0.1 / net.scale
    for _ in range(epochs):
        for index in torch.randperm(len(x), generator=g).split(batch):
            gain, harm = net(x[index] + noise * torch.randn(len(index), x.shape[1], generator=g))
            off = F.smooth_l1_loss(gain, target[index], reduction="none", beta=0.5)
            named = F.binary_cross_entropy_with_logits(harm, harmed[index], reduction="none")
            loss = ((off + named) * known[index]).sum() / known[index].sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval().requires_grad_(False)


def certified_threshold(
    harm: np.ndarray, gains: np.ndarray, *, risk: float = 0.05, delta: float = 0.1
) -> float | None:
    """The largest probability of harm up to which acting is certified; None where none is.

    Learn then Test (Angelopoulos et al. 2021) with fixed-sequence testing from the strictest threshold on: the
    binomial tail of the harms among the pictures acted on is a valid p-value of "acting harms more than ``risk``".

    Args:
        harm: predicted probabilities of harm, N.
        gains: of the same pictures, in dB, N; not used for fitting.
    """
    chosen = None
    for threshold in np.linspace(0.02, 0.6, 30):
        acted = harm <= threshold
        count, bad = int(acted.sum()), int((gains[acted] < HARM).sum())
        # Where the sequence begins hangs on predictions alone, so it may be chosen by them.
        if count < _FEWEST:
            continue
        if float(binom.cdf(bad, count, risk)) > delta:
            break
        chosen = float(threshold)
    return chosen
