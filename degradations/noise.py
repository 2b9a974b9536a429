"""Noise of the sensor and its idealisations.

Nothing is clipped: clipping before a denoiser changes its input by up to 0.7 dB (``clip`` is a step of its own).
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob


def column(values: Tensor, x: Tensor) -> Tensor:
    """B values as ``B x 1 x 1 x 1`` in the type and on the device of ``x``."""
    return values.to(x).view(-1, 1, 1, 1)


def gaussian_noise(x: Tensor, *, seed: Tensor, sigma: Tensor, channels: list[str]) -> Tensor:
    """y = x + N(0, sigma^2), independent per pixel; ``channels`` "each" draws every channel, "grey" one for all.

    Args:
        sigma: B standard deviations in units of [0, 1].
    """
    _, c, h, w = x.shape
    noise = draw.normal_fields(seed, (c, h, w)).to(x)
    shared = torch.tensor([kind == "grey" for kind in channels], device=x.device).view(-1, 1, 1, 1)
    noise = torch.where(shared, noise[:, :1].expand_as(noise), noise)
    return x + column(sigma, x) * noise


def benchmark_noise(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """The literature's test noise: ``numpy.random.seed(0)`` before each image, drawn as (H, W, C) (KAIR, SwinIR).

    The drawn seed is not used: the field is the same for every picture of one size, as in the published protocol.
    """
    noise = draw.legacy_normal_fields(torch.zeros_like(seed), (x.shape[1], x.shape[2], x.shape[3]))
    return x + column(sigma, x) * noise.to(x)


def poisson_gaussian_noise(x: Tensor, *, seed: Tensor, shot: Tensor, read: Tensor) -> Tensor:
    """y = a Pois(x / a) + N(0, b): variance ``shot * x + read`` (Foi et al. 2008), negative light counts as none.

    Args:
        shot: B gains a, in units of [0, 1] per electron; 0 means no shot noise.
        read: B variances b of the read-out, in squared units of [0, 1].

    The gradient with respect to ``x`` is that of the mean (1): the draw itself has none.
    """
    a = column(shot, x)
    light = x.detach().clamp(min=0)
    counts = draw.poisson_counts(light / a.clamp(min=1e-12), seed).to(x)
    shot_noise = torch.where(a > 0, counts * a - light, torch.zeros_like(light))
    read_noise = column(read, x).sqrt() * draw.normal_fields(seed, tuple(x.shape[1:])).to(x)
    return x + (shot_noise + read_noise)


_SIGMA_SPAN = (0.0, 55 / 255)
# ImageNet-C (Hendrycks & Dietterich 2019), gaussian_noise, at its three size classes.
_SIGMA_LEVELS = {
    32: (0.04, 0.06, 0.08, 0.09, 0.10),
    64: (0.04, 0.08, 0.12, 0.15, 0.18),
    224: (0.08, 0.12, 0.18, 0.26, 0.38),
}
_SIGMA = Knob(
    "standard deviation; in a name in units of 255",
    span=_SIGMA_SPAN,
    legal=(0.0, 2.0),
    levels=_SIGMA_LEVELS,
    unit=1 / 255,
)

GAUSSIAN = Degradation(
    "noise",
    gaussian_noise,
    {
        "sigma": _SIGMA,
        "channels": Knob(
            "independent per channel, or one grey field", choices=("each", "grey"), default="each"
        ),
    },
)
BENCHMARK = Degradation("awgn", benchmark_noise, {"sigma": _SIGMA})
POISSON_GAUSSIAN = Degradation(
    "poisson-gaussian",
    poisson_gaussian_noise,
    {
        # Severity: shot noise as strong as ImageNet-C's shot_noise (1 / c), read noise a tenth of it in variance.
        "shot": Knob(
            "gain a of a Pois(x / a); variance of the shot noise at white",
            span=(1e-4, 0.012),
            legal=(0.0, 10.0),
            levels={
                32: (1 / 500, 1 / 250, 1 / 100, 1 / 75, 1 / 50),
                64: (1 / 250, 1 / 100, 1 / 50, 1 / 30, 1 / 15),
                224: (1 / 60, 1 / 25, 1 / 12, 1 / 5, 1 / 3),
            },
        ),
        "read": Knob(
            "variance b of the read noise",
            span=(0.0, 0.0012),
            legal=(0.0, 4.0),
            levels={
                32: (1 / 5000, 1 / 2500, 1 / 1000, 1 / 750, 1 / 500),
                64: (1 / 2500, 1 / 1000, 1 / 500, 1 / 300, 1 / 150),
                224: (1 / 600, 1 / 250, 1 / 120, 1 / 50, 1 / 30),
            },
        ),
    },
)
