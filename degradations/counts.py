"""Poisson counts for whole pictures, several times faster than ``torch.poisson``: tables instead of rejection.

A rate is rounded to 1/128, up or down by chance so that its mean stays, and cut into a whole number and a fraction;
Poisson counts of independent parts add up. Both are drawn by the alias method (Walker 1977) from tables that fit
the cache. Rates above 64 are drawn in parts. Probabilities are right to about 1e-5.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from restore.degradations import sample as draw

_LARGEST = 64  # the largest rate of one table row
_OUTCOMES = 128  # counts from 0 to 127: beyond lies less than 1e-11 at rate 64
_CUTS = 128  # fractions per unit; their tables have counts from 0 to 7: beyond lies less than 1e-5
_FEW = 8
_PIECE = (
    14_000  # values drawn at a time, two of each: in the cache, and less than what malloc asks the system for
)


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
    table, masks, starts = _tables()
    # Of every 32 bits the first are an outcome, those from the 8th on a chance, the last 8 what rounds the rate.
    words = draw.random_words(seed, 2 * len(rate)).view(2, -1)
    rounding = (words[0] >> 24).to(torch.float32).mul_(2.0**-8).add_(0.5 + 2.0**-9)  # from 0 to 1
    cut = rounding.add_(rate, alpha=_CUTS).to(torch.int32)
    outcome = words & masks
    place = outcome + starts
    place[0] += cut & -_OUTCOMES  # one unit has as many cuts as outcomes
    place[1] += (cut & _CUTS - 1).mul_(_FEW)
    entry = table.index_select(0, place.view(-1)).view(2, -1)
    # -1, all bits, where the outcome is kept, else 0: arithmetic is faster than masks.
    kept = (words & 0xFFFFFF).sub_(entry).bitwise_right_shift_(31)
    alias = entry.bitwise_and_(_OUTCOMES - 1)
    counts = outcome.bitwise_xor_(alias).bitwise_and_(kept).bitwise_xor_(alias)
    return (counts[0] + counts[1]).to(torch.float32)


@lru_cache(maxsize=1)
def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """Alias tables of the rates 0, 1, ... 64, then of 0, 1/128, ... 127/128, flat: chances to keep an outcome in units
    of 2^-16 times 2^8, plus what comes instead. With them the bits of an outcome and the start of both."""
    whole = _alias(torch.arange(_LARGEST + 1, dtype=torch.float64), _OUTCOMES)
    parts = _alias(torch.arange(_CUTS, dtype=torch.float64) / _CUTS, _FEW)
    masks = torch.tensor([[_OUTCOMES - 1], [_FEW - 1]], dtype=torch.int32)
    return torch.cat([whole, parts]), masks, torch.tensor([[0], [len(whole)]], dtype=torch.int32)


def _alias(rates: Tensor, outcomes: int) -> Tensor:
    """One row for each rate (float64), flat int32."""
    rate, count = rates[:, None], torch.arange(outcomes, dtype=torch.float64)
    share = torch.exp(torch.special.xlogy(count, rate) - rate - torch.lgamma(count + 1))
    share = share / share.sum(1, keepdim=True) * outcomes
    accept, alias = torch.ones_like(share), torch.arange(outcomes).repeat(len(rates), 1)
    line = torch.arange(len(rates))
    least, most = share.clone(), share.clone()  # what is settled leaves both races
    for _ in range(outcomes - 1):
        low, high = least.argmin(1), most.argmax(1)
        chance = least[line, low].clamp(0, 1)
        accept[line, low], alias[line, low] = chance, high
        taken = most[line, high] - (1 - chance)
        most[line, high] = least[line, high] = taken
        least[line, low], most[line, low] = torch.inf, -torch.inf
    return ((accept * 2**16).round().long() * 256 + alias).to(torch.int32).view(-1)
