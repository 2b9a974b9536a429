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
_PIECE = 28_000  # values drawn at a time: in the cache, and less than what malloc asks the system for
_OUTCOMES = 128  # counts from 0 to 127: beyond lies less than 1e-11 at rate 64
_TERMS = 4  # of the remainder's counts: more have less than 1e-5


def poisson_counts(rate: Tensor, seed: int) -> Tensor:
    """Counts with mean ``rate`` (any shape, from 0), float32 on the CPU, all from one ``seed``."""
    flat = rate.detach().to("cpu", torch.float32).reshape(-1)
    pieces = [_in_parts(p, draw.child_seed(seed, "counts", i)) for i, p in enumerate(flat.split(_PIECE))]
    return torch.cat(pieces).view(rate.shape)


def _in_parts(rate: Tensor, seed: int) -> Tensor:
    """Counts for a row of rates of any size."""
    largest, part = float(rate.max()), 0
    total = _draw(rate.clamp(0, _LARGEST), draw.child_seed(seed, part))
    while largest > _LARGEST:
        rate, largest, part = rate - _LARGEST, largest - _LARGEST, part + 1
        total += _draw(rate.clamp(0, _LARGEST), draw.child_seed(seed, part))
    return total


def _draw(rate: Tensor, seed: int) -> Tensor:
    """Counts for a row of rates up to 64."""
    place = draw.uniform_fields(torch.tensor([seed]), rate.shape)[0]
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
    again = chance.sub_(other * accept).div_((kept - other).mul_(accept).add_(other))
    small = rate.sub_(quarters.div_(_QUARTERS))
    term = torch.exp(-small)
    below = term.clone()
    for k in range(1, _TERMS + 1):
        counts += (again - below).mul_(1e30).clamp_(0, 1)
        below += term.mul_(small).div_(k)
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
    # Chances that no uniform number can tell from 0 would be taken for parts of a count.
    accept[accept < 1e-9] = 0
    return accept.float().view(-1), alias.float().view(-1)
