"""Calibration error, and how much of it the number of pictures alone explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
BIN_SIZE = 100


def ece(confidence: np.ndarray, correct: np.ndarray, *, bins: int = BINS) -> float:
    """Expected calibration error: ``sum_b n_b/n |acc_b - conf_b|`` over equal bins (lo, hi] (Naeini 2015)."""
    gaps = bin_gaps(confidence, correct, bins=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def bin_of(confidence: np.ndarray, *, bins: int = BINS) -> np.ndarray:
    """Which of the equal bins (lo, hi] of [0, 1] each confidence falls into; 0 falls into the first."""
    return np.clip(np.ceil(np.asarray(confidence, np.float64) * bins).astype(int) - 1, 0, bins - 1)


def bin_gaps(confidence: np.ndarray, correct: np.ndarray, *, bins: int = BINS) -> np.ndarray:
    """Per bin the sum of (correct - confidence)."""
    gap = np.asarray(correct, np.float64) - np.asarray(confidence, np.float64)
    return np.bincount(bin_of(confidence, bins=bins), gap, minlength=bins)


def rms_calibration_error(confidence: np.ndarray, correct: np.ndarray, *, size: int = BIN_SIZE) -> float:
    """Root mean square calibration error over bins of ``size`` pictures sorted by confidence (Hendrycks 2019).

    What remains after the last whole bin joins it, so that no picture is left out.
    """
    order = np.argsort(confidence, kind="stable")
    gap = (np.asarray(correct, np.float64) - np.asarray(confidence, np.float64))[order]
    bin_ = np.minimum(np.arange(len(gap)) // size, max(len(gap) // size - 1, 0))
    sums, counts = np.bincount(bin_, gap), np.bincount(bin_)
    return float(np.sqrt((sums**2 / counts).sum() / len(gap)))


@dataclass(frozen=True)
class Calibration:
    """A calibration error beside what a perfectly calibrated classifier would show on as many pictures.

    ``null`` is the mean over simulated labels, ``excess`` the value above it, ``p`` the Monte Carlo probability of
    a value at least as large under perfect calibration.
    """

    value: float
    null: float
    excess: float
    p: float


def with_null(
    measure: str, confidence: np.ndarray, correct: np.ndarray, *, draws: int = 200, seed: int = 0
) -> Calibration:
    """``"ece"`` or ``"rms"`` with its null floor: labels are drawn from the model's own probabilities.

    The predicted class is then right with probability equal to its confidence, so that is what is drawn.
    """
    function = ece if measure == "ece" else rms_calibration_error
    g = np.random.default_rng(seed)
    value = function(confidence, correct)
    null = np.array([function(confidence, g.random(len(confidence)) < confidence) for _ in range(draws)])
    return Calibration(
        value,
        float(null.mean()),
        value - float(null.mean()),
        float((1 + (null >= value).sum()) / (1 + draws)),
    )


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least mean NLL (Guo et al. 2017), searched over its logarithm."""
    from scipy.optimize import minimize_scalar

    from restore.downstream.confidence.scores import log_softmax, nll

    def loss(log_t: float) -> float:
        return float(nll(log_softmax(logits, temperature=float(np.exp(log_t))), labels).mean())

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))
