"""The distance between two sets of pictures: Frechet distance between Gaussians fitted to their features.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017. The number means something only together
with the network that made the features; "FID" is reserved for Inception's.
"""

from __future__ import annotations

import numpy as np

from restore.errors import UsageError


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mean difference|^2 + trace(A + B - 2 (A B)^(1/2)) of the features ``N x D`` and ``M x D``.

    Raises:
        UsageError: features of different lengths, or fewer than two pictures.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise UsageError(f"expected features N x D of two or more pictures each, got {a.shape} and {b.shape}")
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    # The eigenvalues of A B are those of the symmetric A^(1/2) B A^(1/2): real and not negative.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    return float(max(shift + np.trace(first) + np.trace(second) - 2 * cross, 0.0))
