"""ImageNet-C's four noises (Hendrycks & Dietterich 2019), from its published formulas and tables."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import codec
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.counts import poisson_counts
from restore.degradations.filters import each
from restore.degradations.knob import Knob


def gaussian_noise(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """x + N(0, sigma^2), independent per value."""
    return each(x, lambda x, seed, sigma: torch.add(x, _normal(seed, x), alpha=sigma), seed, sigma)


def shot_noise(x: Tensor, *, seed: Tensor, photons: Tensor) -> Tensor:
    """Pois(c x) / c for c ``photons`` at white; the gradient is that of the mean."""

    def one(x: Tensor, seed: int, photons: float) -> Tensor:
        return codec.straight_through(x, poisson_counts(x.detach() * photons, seed).div_(photons).to(x))

    return each(x, one, seed, photons)


def impulse_noise(x: Tensor, *, seed: Tensor, amount: Tensor) -> Tensor:
    """A share ``amount`` of the values becomes 0 or 1, each half of the time."""

    def one(x: Tensor, seed: int, amount: float) -> Tensor:
        if amount <= 0:
            return x
        # 16 random bits for every value; those of a share at either end of their range reach out of the middle.
        bits = draw.random_words(seed, -(-x.numel() // 2)).view(torch.int16)[: x.numel()]
        share = min(max(round(amount * 2**15), 1), 2**15 - 1)
        beyond = bits.clamp(share - 2**15, 2**15 - 1 - share).sub_(bits).view(x.shape)
        # Zero for most, otherwise so large that the final cut makes it black or white: faster than masks.
        return torch.add(x, beyond.to(x), alpha=1e9)

    return each(x, one, seed, amount)


def speckle_noise(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """x + x N(0, sigma^2)."""
    return each(x, lambda x, seed, sigma: torch.addcmul(x, x, _normal(seed, x), value=sigma), seed, sigma)


def _normal(seed: int, x: Tensor) -> Tensor:
    return draw.normal_fields(torch.tensor([seed]), tuple(x.shape))[0].to(x)


GAUSSIAN = Degradation(
    "gaussian_noise",
    gaussian_noise,
    {
        "sigma": Knob(
            "standard deviation, units of [0, 1]",
            span=(0.04, 0.38),
            legal=(0.0, 10.0),
            levels={
                32: (0.04, 0.06, 0.08, 0.09, 0.10),
                64: (0.04, 0.08, 0.12, 0.15, 0.18),
                224: (0.08, 0.12, 0.18, 0.26, 0.38),
            },
        )
    },
)
SHOT = Degradation(
    "shot_noise",
    shot_noise,
    {
        "photons": Knob(
            "mean count c at white",
            span=(3.0, 500.0),
            legal=(1e-3, 1e6),
            levels={32: (500, 250, 100, 75, 50), 64: (250, 100, 50, 30, 15), 224: (60, 25, 12, 5, 3)},
        )
    },
)
IMPULSE = Degradation(
    "impulse_noise",
    impulse_noise,
    {
        "amount": Knob(
            "share of the values",
            span=(0.01, 0.27),
            legal=(0.0, 1.0),
            levels={
                32: (0.01, 0.02, 0.03, 0.05, 0.07),
                64: (0.01, 0.02, 0.05, 0.08, 0.14),
                224: (0.03, 0.06, 0.09, 0.17, 0.27),
            },
        )
    },
)
SPECKLE = Degradation(
    "speckle_noise",
    speckle_noise,
    {
        "sigma": Knob(
            "standard deviation at white, units of [0, 1]",
            span=(0.06, 0.6),
            legal=(0.0, 10.0),
            levels={
                32: (0.06, 0.1, 0.12, 0.16, 0.2),
                64: (0.15, 0.2, 0.25, 0.3, 0.35),
                224: (0.15, 0.2, 0.35, 0.45, 0.6),
            },
        )
    },
)
