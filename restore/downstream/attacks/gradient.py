"""Attacks within an L-infinity ball: FGSM, BIM, PGD, with gradients through anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.errors import UsageError

Model = Callable[[Tensor], Tensor]
# Budgets in the literature: 8/255 on pictures of 32 px, 4/255 on 224.
EPS_SMALL, EPS_LARGE = 8 / 255, 4 / 255


def slope(model: Model, x: Tensor, labels: Tensor, *, draws: int = 1) -> Tensor:
    """Gradient of each picture's cross-entropy at ``x``, averaged over ``draws`` (expectation over transformation).

    Raises:
        UsageError: a model through which no gradient passes: wrap what stops it in :class:`PassThrough`.
    """
    total = torch.zeros_like(x)
    for _ in range(draws):
        with torch.enable_grad():
            moved = x.detach().clone().requires_grad_(True)
            loss = F.cross_entropy(model(moved), labels, reduction="sum")
            if not loss.requires_grad:
                raise UsageError(
                    "no gradient passes through the model",
                    hint="PassThrough(restorer) goes around what stops it",
                )
            (g,) = torch.autograd.grad(loss, moved, allow_unused=True)
        if g is not None:
            total += g
    return total / draws


def fgsm(model: Model, x: Tensor, labels: Tensor, *, eps: float = EPS_SMALL, draws: int = 1) -> Tensor:
    """One step ``x + eps sign(grad)``, in [0, 1] (Goodfellow et al., ICLR 2015)."""
    return (x + eps * slope(model, x, labels, draws=draws).sign()).clamp(0, 1)


def pgd(
    model: Model,
    x: Tensor,
    labels: Tensor,
    *,
    eps: float = EPS_SMALL,
    steps: int = 50,
    step: float | None = None,
    random_start: bool = True,
    draws: int = 1,
    seed: int = 0,
) -> Tensor:
    """Projected gradient ascent (Madry et al., ICLR 2018); per picture the iterate with the largest loss is kept.

    Args:
        eps: radius of the ball, in units of [0, 1].
        step: size of a step; None: ``2.5 eps / steps``.
        random_start: uniform in the ball; without it this is BIM.
        draws: gradients averaged per step, 20 or more for a restorer that draws at random.
    """
    size = 2.5 * eps / steps if step is None else step
    current = x.clone()
    if random_start:
        g = draw.generator(draw.child_seed(seed, "pgd"))
        current = (x + eps * (2 * torch.rand(x.shape, generator=g).to(x) - 1)).clamp(0, 1)
    best, best_loss = x.clone(), _losses(model, x, labels)
    for _ in range(steps):
        moved = current + size * slope(model, current, labels, draws=draws).sign()
        current = torch.minimum(torch.maximum(moved, x - eps), x + eps).clamp(0, 1)
        loss = _losses(model, current, labels)
        better = loss > best_loss
        best[better], best_loss[better] = current[better], loss[better]
    return best


def bim(model: Model, x: Tensor, labels: Tensor, *, eps: float = EPS_SMALL, steps: int = 10) -> Tensor:
    """The basic iterative method (Kurakin et al., 2017): PGD from the picture itself."""
    return pgd(model, x, labels, eps=eps, steps=steps, random_start=False)


@torch.no_grad()
def _losses(model: Model, x: Tensor, labels: Tensor) -> Tensor:
    """How wrong each picture is; a wrong answer counts above every right one."""
    logits = model(x)
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], float("-inf")).max(1).values
    return others - own


class PassThrough(nn.Module):
    """A function whose gradient is that of the identity, or of a surrogate (BPDA; Athalye et al., ICML 2018).

    Args:
        function: forward.
        surrogate: backward; None: the identity.
    """

    def __init__(self, function: Model, surrogate: Model | None = None) -> None:
        super().__init__()
        self.function, self.surrogate = function, surrogate

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            value = self.function(x)
        shadow = x if self.surrogate is None else self.surrogate(x)
        return value + (shadow - shadow.detach())
