"""Scores that need logits alone. Every one is larger for pictures that are more foreign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from restore.downstream.confidence.scores import entropy, log_softmax


def msp(logits: np.ndarray) -> np.ndarray:
    """Minus the largest probability (Hendrycks & Gimpel, ICLR 2017)."""
    return -np.exp(log_softmax(logits).max(1))


def prediction_entropy(logits: np.ndarray) -> np.ndarray:
    """Entropy of the prediction, nats."""
    return entropy(log_softmax(logits))


def max_logit(logits: np.ndarray) -> np.ndarray:
    """Minus the largest logit (Hendrycks et al., ICML 2022)."""
    return -np.asarray(logits, np.float64).max(1)


def energy(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """``-T logsumexp(z / T)`` (Liu et al., NeurIPS 2020)."""
    return -temperature * logsumexp(np.asarray(logits, np.float64) / temperature, axis=1)


LOGIT_SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "msp": msp,
    "entropy": prediction_entropy,
    "max-logit": max_logit,
    "energy": energy,
}
