"""Paired right/wrong decisions of two arms on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from restore.errors import UsageError


def mcnemar(helped: int, harmed: int) -> float:
    """Exact two-sided p of McNemar's test (1947): are as many pictures helped as harmed?

    Given the discordant pairs, each is helped with probability 1/2 under the null hypothesis:
    ``p = min(1, 2 P[Bin(helped + harmed, 1/2) <= min(helped, harmed)])``; 1 when there is no discordant pair.

    Raises:
        UsageError: a negative count.
    """
    if helped < 0 or harmed < 0:
        raise UsageError(f"expected counts from 0, got {helped} helped and {harmed} harmed")
    pairs = helped + harmed
    return min(1.0, 2.0 * float(binom.cdf(min(helped, harmed), pairs, 0.5))) if pairs else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjusted p-values, in the order given.

    A hypothesis is rejected at level alpha where its adjusted value is at most alpha; the family-wise error is then
    at most alpha whatever the dependence.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted.tolist()
