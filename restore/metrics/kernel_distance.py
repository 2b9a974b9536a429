"""The distance between two sets of pictures without a Gaussian assumption: kernel distance of their features.

Binkowski et al., "Demystifying MMD GANs", ICLR 2018 ("KID" with Inception's features). Unbiased, so small sets can be
compared; with other features than Inception's the network's name belongs to the number.
"""

from __future__ import annotations

import numpy as np

from restore.errors import UsageError


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased squared MMD with the kernel ``(x.y / D + 1)^3`` of features ``N x D`` and ``M x D``.

    Raises:
        UsageError: features of different lengths, or fewer than two pictures.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise UsageError(f"expected features N x D of two or more pictures each, got {a.shape} and {b.shape}")
    a, b = a.astype(np.float64), b.astype(np.float64)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    within = 0.0
    for x in (a, b):
        k = kernel(x, x)
        within += (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))
    return float(within - 2 * kernel(a, b).mean())
