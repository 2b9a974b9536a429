"""The smallest change that fools: Carlini & Wagner's L2 attack (S&P 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.downstream.attacks.gradient import Model

_EDGE = 1 - 1e-6


def carlini_wagner(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    steps: int = 100,
    searches: int = 5,
    lr: float = 1e-2,
    start: float = 1.0,
    kappa: float = 0.0,
) -> Tensor:
    """Minimises ``|d|^2 + c max(z_y - max_{i != y} z_i, -kappa)`` over ``x + d = (tanh w + 1) / 2``.

    Args:
        steps: of Adam per search.
        searches: of the binary search on c, per picture, from ``start``.

    Returns:
        Per picture the nearest one that is misclassified; the picture itself where none was found.
    """
    count = len(x)
    low, high = torch.zeros(count), torch.full((count,), float("inf"))
    c = torch.full((count,), start)
    best, best_distance = x.clone(), torch.full((count,), float("inf"))
    origin = torch.atanh(((2 * x - 1) * _EDGE).clamp(-_EDGE, _EDGE))
    for _ in range(searches):
        fooled = torch.zeros(count, dtype=torch.bool)
        w = origin.clone()
        first, second = torch.zeros_like(w), torch.zeros_like(w)
        for t in range(1, steps + 1):
            with torch.enable_grad():
                w = w.detach().requires_grad_(True)
                y = (torch.tanh(w) + 1) / 2
                distance = (y - x).square().flatten(1).sum(1)
                logits = model(y)
                own = logits.gather(1, labels[:, None])[:, 0]
                other = logits.scatter(1, labels[:, None], float("-inf")).max(1).values
                loss = (distance + c * (own - other).clamp(min=-kappa)).sum()
                (g,) = torch.autograd.grad(loss, w)
            with torch.no_grad():
                wrong = logits.argmax(1) != labels
                nearer = wrong & (distance < best_distance)
                best[nearer], best_distance[nearer] = y.detach()[nearer], distance.detach()[nearer]
                fooled |= wrong
                # Adam, by hand: the state starts anew with every search.
                first = 0.9 * first + 0.1 * g
                second = 0.999 * second + 0.001 * g.square()
                w = w - lr * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        high = torch.where(fooled, torch.minimum(high, c), high)
        low = torch.where(fooled, low, torch.maximum(low, c))
        c = torch.where(torch.isinf(high), c * 10, (low + high) / 2)
    return best
