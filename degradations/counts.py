"""Poisson counts for whole pictures, several times faster than ``torch.poisson``: tables instead of rejection.

A rate is cut into a whole number of quarters and a remainder below 1/4; Poisson counts of independent parts add up.
The quarters are drawn by the alias method (Walker 1977), one table row for each, the remainder by inversion, both
from one uniform number. Rates above 64 are drawn in parts. Probabilities are right to about 1e-5.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from restore.degradations import sample as draw

_QUARTERS = 4
_LARGEST = 64  # the largest rate of one table row
_OUTCOMES = 128  # counts from 0 to 127: beyond lies less than 1e-11 at rate 64
_TERMS = 4  # of the remainder's counts beyond 1: more have less than 1e-6


def poisson_counts(rate: Tensor, seed: int) -> Tensor:
    """Counts with mean ``rate`` (any shape, from 0), float32 on the CPU, all from one ``seed``."""
    left = rate.detach().to("cpu", torch.float32).reshape(-1)
    largest, part = float(left.max()) if len(left) else 0.0, 0
    total = _draw(left.clamp(0, _LARGEST), seed, part)
    while largest > _LARGEST:
        left, largest, part = left - _LARGEST, largest - _LARGEST, part + 1
        total += _draw(left.clamp(0, _LARGEST), seed, part)
    return total.view(rate.shape)


def _draw(rate: Tensor, seed: int, part: int) -> Tensor:
    """Counts for a row of rates up to 64."""
    place = draw.uniform_fields(torch.tensor([draw.child_seed(seed, "counts", part)]), rate.shape)[0]
    place.mul_(_OUTCOMES)
    outcome = place.floor()
    chance = place.sub_(outcome)
    quarters = (rate * _QUARTERS).floor_()
    row = (quarters * _OUTCOMES).add_(outcome).to(torch.int32)
    accept, alias = (table.index_select(0, row) for table in _tables())
    # 1 where the outcome is kept, else 0: arithmetic is faster than masks.
    kept = (accept - chance).mul_(1e30).clamp_(0, 1)
    counts = torch.lerp(alias, outcome, kept)
    # Given which of the two it was, what is left of the uniform number is uniform again.
    other = 1 - kept
    again = torch.addcmul(chance, other, accept, value=-1).div_((kept - other).mul_(accept).add_(other))
    small = rate.sub_(quarters.div_(_QUARTERS))
    none = torch.exp(-small)
    (some,) = torch.where(again > none)
    again, small, term = again[some], small[some], none[some]
    more, below = torch.ones_like(small), term
    for k in range(1, _TERMS + 1):
        term = term * small / k
        below = below + term
        more += again > below
    counts[some] += more
    return counts


@lru_cache(maxsize=1)
def _tables() -> tuple[Tensor, Tensor]:
    """Alias tables of the rates 0, 1/4, ... 64: flat chances to keep an outcome, and what comes instead."""
    rate = torch.arange(_LARGEST * _QUARTERS + 1, dtype=torch.float64)[:, None] / _QUARTERS
    count = torch.arange(_OUTCOMES, dtype=torch.float64)
    share = torch.exp(torch.special.xlogy(count, rate) - rate - torch.lgamma(count + 1))
    share = share / share.sum(1, keepdim=True) * _OUTCOMES
    accept, alias = torch.ones_like(share), count.repeat(len(rate), 1)
    line = torch.arange(len(rate))
    least, most = share.clone(), share.clone()  # what is settled leaves both races
    for _ in range(_OUTCOMES - 1):
        low, high = least.argmin(1), most.argmax(1)
        chance = least[line, low].clamp(0, 1)
        accept[line, low], alias[line, low] = chance, high.to(alias)
        taken = most[line, high] - (1 - chance)
        most[line, high] = least[line, high] = taken
        least[line, low], most[line, low] = torch.inf, -torch.inf
    return accept.float().view(-1), alias.float().view(-1)
