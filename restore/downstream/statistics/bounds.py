"""Exact bounds of a proportion (Clopper & Pearson 1934)."""

from __future__ import annotations

from scipy.stats import beta

from restore.errors import UsageError


def upper_bound(hits: int, count: int, *, delta: float = 0.05) -> float:
    """The one-sided upper bound that a proportion exceeds with probability at most ``delta``.

    ``BetaInv(1 - delta; hits + 1, count - hits)``, and 1 when every trial is a hit.

    Raises:
        UsageError: more hits than trials, no trial, or a delta outside (0, 1).
    """
    _check(hits, count, delta)
    return 1.0 if hits == count else float(beta.ppf(1 - delta, hits + 1, count - hits))


def lower_bound(hits: int, count: int, *, delta: float = 0.05) -> float:
    """The one-sided lower bound; 0 when no trial is a hit. See :func:`upper_bound`."""
    _check(hits, count, delta)
    return 0.0 if hits == 0 else float(beta.ppf(delta, hits, count - hits + 1))


def clopper_pearson(hits: int, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """The two-sided interval with coverage of at least ``level``."""
    tail = (1 - level) / 2
    return lower_bound(hits, count, delta=tail), upper_bound(hits, count, delta=tail)


def _check(hits: int, count: int, delta: float) -> None:
    if not 0 <= hits <= count or count < 1:
        raise UsageError(f"expected 0 to {count} hits in at least one trial, got {hits}")
    if not 0 < delta < 1:
        raise UsageError(f"expected a delta between 0 and 1, got {delta}")
