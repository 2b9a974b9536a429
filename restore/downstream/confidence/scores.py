"""From logits to probabilities and the proper scores, per picture."""

from __future__ import annotations

import numpy as np


def log_softmax(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """``N x C`` natural logarithms of the probabilities of ``logits / temperature``, float64."""
    z = np.asarray(logits, dtype=np.float64) / temperature
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def softmax(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """``N x C`` probabilities, float64."""
    return np.exp(log_softmax(logits, temperature=temperature))


def nll(log_p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of the true class per picture, in nats."""
    return -log_p[np.arange(len(labels)), labels]


def brier(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Brier score per picture: the sum over classes of (p_c - y_c)^2, from 0 to 2."""
    return (p**2).sum(1) - 2 * p[np.arange(len(labels)), labels] + 1


def entropy(log_p: np.ndarray) -> np.ndarray:
    """Entropy of each prediction, in nats."""
    return -(np.exp(log_p) * log_p).sum(1)
