"""Bootstrap over source pictures: all cells and arms of a picture move together."""

from __future__ import annotations

import numpy as np

from restore.errors import UsageError


def resample_counts(sources: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """How often every row counts in each resample, ``resamples x N`` float64.

    Args:
        sources: N labels; rows of one source picture (its crops, its frames) are drawn together.
        resamples: bootstrap samples; each draws as many sources as there are, with replacement.

    Any mean over rows is then one product: ``counts @ values / counts.sum(1)``.

    Raises:
        UsageError: no rows.
    """
    names, member = np.unique(np.asarray(sources), return_inverse=True)
    if not len(names):
        raise UsageError("expected at least one picture to resample")
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), resamples
    )
    return drawn[:, member].astype(np.float64)


def resampled_means(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means of every resample, ``resamples x ...`` for values ``N x ...``."""
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return ((counts @ flat) / counts.sum(1, keepdims=True)).reshape(len(counts), *np.shape(values)[1:])


def interval(draws: np.ndarray, *, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of resampled values (Efron 1979); NaN draws are left out."""
    kept = draws[np.isfinite(draws)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
