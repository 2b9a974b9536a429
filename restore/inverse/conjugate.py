"""Conjugate gradients for a batch, every sample by itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    b: Tensor,
    *,
    start: Tensor | None = None,
    precondition: Callable[[Tensor], Tensor] | None = None,
    tolerance: float = 1e-5,
    iterations: int = 60,
) -> Tensor:
    """x with M x = b for a symmetric positive definite M (Hestenes & Stiefel 1952).

    Args:
        apply: M of a batch.
        b: ``B x ...``; start: the same shape, None: 0.
        precondition: about M^-1, symmetric positive definite as well.
        tolerance: a sample stops when |b - M x| is this share of |b|.
        iterations: at most so many.
    """
    x = torch.zeros_like(b) if start is None else start.clone()
    r = b.clone() if start is None else b - apply(x)
    z = r if precondition is None else precondition(r)
    p = z.clone()
    rho = _dot(r, z)
    goal = tolerance**2 * _dot(b, b)
    for _ in range(iterations):
        going = _dot(r, r) > goal
        if not bool(going.any()):
            break
        q = apply(p)
        bend = _dot(p, q)
        going = going & (bend > 0)
        step = torch.where(going, rho / bend.clamp(min=1e-30), torch.zeros_like(rho))
        x = x + step * p
        r = r - step * q
        z = r if precondition is None else precondition(r)
        following = _dot(r, z)
        p = z + torch.where(going, following / rho.clamp(min=1e-30), torch.zeros_like(rho)) * p
        rho = following
    return x


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """B x 1 x ... x 1."""
    return (a * b).flatten(1).sum(1).view(-1, *([1] * (a.ndim - 1)))
