"""Two noises that only the published real-world pipelines draw."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.image import GREY


def scaled_poisson(x: Tensor, *, seed: Tensor, scale: Tensor, peak: Tensor, channels: list[str]) -> Tensor:
    """y = x + scale (Pois(peak x) / peak - x): shot noise at a fixed peak, made weaker or stronger.

    Real-ESRGAN's, but for its peak, which there is the number of different values in the picture rounded up
    to a power of 2; parameters must not depend on the picture.

    Args:
        scale: B strengths; peak: B counts at white.
        channels: B names: "each" or "grey", one noise for all channels, drawn from the luminance.

    The gradient with respect to ``x`` is that of the mean (1).
    """
    light = x.detach().clamp(0, 1)
    if x.shape[1] == 3:
        luma = (light * light.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
        shared = torch.tensor([kind == "grey" for kind in channels], device=x.device).view(-1, 1, 1, 1)
        light = torch.where(shared, luma.expand_as(light), light)
    top = peak.to(light).view(-1, 1, 1, 1)
    rates = light * top
    noise = draw.poisson_counts(rates, seed).to(light) / top - light
    if x.shape[1] == 3:
        noise = torch.where(shared, noise[:, :1].expand_as(noise), noise)
    return x + scale.to(noise).view(-1, 1, 1, 1) * noise.to(x)


def channel_noise(x: Tensor, *, seed: Tensor, level: Tensor) -> Tensor:
    """y = x + N(0, |level^2 U' D U|) per pixel: channels correlated by a covariance drawn from the seed (KAIR).

    D = diag(U(0, 1)^3), U a random orthonormal matrix; a grey picture gets the first channel's variance.

    Args:
        level: B values L in units of [0, 1].
    """
    noise = draw.normal_fields(seed, (3, *x.shape[2:]))
    made = []
    for field, s, scale in zip(noise, seed.tolist(), level.tolist(), strict=True):
        g = draw.generator(draw.child_seed(s, "covariance"))
        d = torch.diag(draw.draw_uniform(3, 0.0, 1.0, g))
        u, _, _ = torch.linalg.svd(draw.draw_uniform(9, 0.0, 1.0, g).view(3, 3))
        # The absolute values of a covariance are positive semidefinite here but for rounding.
        values, vectors = torch.linalg.eigh((scale**2 * u.T @ d @ u).abs())
        root = (vectors * values.clamp(min=0).sqrt()).float()
        mixed = root @ field.flatten(1)
        made.append(mixed.view_as(field)[: x.shape[1]])
    return x + torch.stack(made).to(x)


SCALED_POISSON = Degradation(
    "scaled-poisson",
    scaled_poisson,
    {
        # Real-ESRGAN, first stage; severity [ours].
        "scale": Knob(
            "strength of the noise",
            span=(0.05, 3.0),
            legal=(0.0, 20.0),
            levels={224: (0.5, 1.0, 1.5, 2.2, 3.0)},
        ),
        "peak": Knob("counts at white", span=(64, 256), legal=(1.0, 1e6), default=256.0),
        "channels": Knob(
            "independent per channel, or one grey noise", choices=("each", "grey"), default="each"
        ),
    },
)
CHANNEL_NOISE = Degradation(
    "channel-noise",
    channel_noise,
    {
        # BSRGAN always uses 25 / 255; severity [ours].
        "level": Knob(
            "L of the covariance; in a name in units of 255",
            span=(5 / 255, 50 / 255),
            legal=(0.0, 2.0),
            levels={224: (10 / 255, 20 / 255, 30 / 255, 50 / 255, 80 / 255)},
            unit=1 / 255,
        )
    },
)
