"""A certificate: within which radius does the smoothed classifier's answer not change?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import norm
from torch import Tensor

from restore.degradations import sample as draw
from restore.downstream.attacks.gradient import Model
from restore.downstream.statistics.bounds import lower_bound


@dataclass(frozen=True)
class Certificate:
    """The smoothed answer for one picture: its class (None: abstains), L2 radius in units of [0, 1], bound on pA."""

    label: int | None
    radius: float
    p_lower: float


def certify_smoothed(
    model: Model,
    x: Tensor,
    *,
    sigma: float,
    n: int = 10_000,
    n0: int = 100,
    alpha: float = 0.001,
    batch: int = 256,
    seed: int = 0,
) -> Certificate:
    """Randomised smoothing of ``model`` (the restorer and the classifier behind it) at one picture ``C x H x W``.

    ``g(x) = argmax_c P(model(x + sigma e) = c)``; the class comes from ``n0`` draws, its probability's one-sided
    Clopper-Pearson bound pA at ``alpha`` from ``n`` new ones; radius ``sigma Phi^-1(pA)``, abstaining where
    pA <= 1/2 (Cohen et al., ICML 2019; with a denoiser in front Salman et al., NeurIPS 2020).

    Args:
        sigma: of the noise, in units of [0, 1]; the restorer must be made for it.
    """
    g = draw.generator(draw.child_seed(seed, "smoothing"))
    first = _votes(model, x, sigma, n0, batch, g)
    label = int(first.argmax())
    hits = int(_votes(model, x, sigma, n, batch, g)[label])
    p = lower_bound(hits, n, delta=alpha)
    if p <= 0.5:
        return Certificate(None, 0.0, p)
    return Certificate(label, float(sigma * norm.ppf(p)), p)


@torch.no_grad()
def _votes(model: Model, x: Tensor, sigma: float, count: int, batch: int, g: torch.Generator) -> Tensor:
    total: Tensor | None = None
    for start in range(0, count, batch):
        size = min(batch, count - start)
        noise = torch.randn((size, *x.shape), generator=g).to(x)
        logits = model(x[None] + sigma * noise)
        votes = torch.bincount(logits.argmax(1), minlength=logits.shape[1])
        total = votes if total is None else total + votes
    assert total is not None
    return total
