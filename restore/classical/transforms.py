"""Small transforms as matrices, for blocks: cosine, Haar, biorthogonal spline wavelets."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

# Cohen, Daubechies & Feauveau 1992, spline wavelets 1.5: the low-pass of the analysis.
_CDF15 = [v / 256 for v in (3, -3, -22, 22, 128, 128, 22, -22, -3, 3)]
_CPU = torch.device("cpu")


@lru_cache(maxsize=32)
def dct_matrix(n: int, device: torch.device = _CPU) -> Tensor:
    """The orthonormal DCT-II as ``n x n`` float32; row k is the k-th cosine."""
    k = torch.arange(n, dtype=torch.float64)
    m = torch.cos(math.pi / n * k[:, None] * (k + 0.5)) * math.sqrt(2 / n)
    m[0] /= math.sqrt(2)
    return m.to(device, torch.float32)


@lru_cache(maxsize=32)
def haar_matrix(n: int, device: torch.device = _CPU) -> Tensor:
    """The orthonormal Haar transform of n = 2^k samples as ``n x n`` float32."""
    m = torch.ones(1, 1, dtype=torch.float64)
    while len(m) < n:
        low = torch.kron(m, torch.tensor([[1.0, 1.0]], dtype=torch.float64))
        high = torch.kron(torch.eye(len(m), dtype=torch.float64), torch.tensor([[1.0, -1.0]]).double())
        m = torch.cat([low, high]) / math.sqrt(2)
    return m.to(device, torch.float32)


@lru_cache(maxsize=32)
def biorthogonal_matrix(n: int, device: torch.device = _CPU) -> Tensor:
    """Analysis by periodic bior1.5 wavelets down to one mean, rows of unit norm; the inverse is its matrix inverse."""
    m = torch.eye(n, dtype=torch.float64)
    length = n
    while length > 1:
        step = torch.zeros(length, length, dtype=torch.float64)
        for i in range(length // 2):
            for k, tap in enumerate(_CDF15):
                step[i, (2 * i + k - 4) % length] += tap
            step[length // 2 + i, 2 * i] += 1
            step[length // 2 + i, 2 * i + 1] -= 1
        m = torch.cat([step @ m[:length], m[length:]])
        length //= 2
    return (m / m.norm(dim=1, keepdim=True)).to(device, torch.float32)
