"""Too little light, and too much.

Order matters: the scene is darkened in linear light, then the sensor adds its noise, then the camera develops
it. Noise that is darkened along with the picture is no low light.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore import image
from restore.degradations import colour
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.codec import straight_through
from restore.degradations.knob import Knob
from restore.degradations.noise import column
from restore.degradations.params import Params
from restore.degradations.raw import DEMOSAIC, PROFILE, READ, expose, noise_levels, random_camera
from restore.errors import RestoreError


def low_light(
    x: Tensor,
    *,
    seed: Tensor,
    light: Tensor,
    shot: Tensor,
    read: Tensor,
    bits: list[str],
    gamma: Tensor,
    profile: list[str],
    demosaic: list[str],
) -> Tensor:
    """A dark photograph (MAET, Cui et al. 2021): raw data of k times the light, noise, rounding, development.

    Without a tone curve, as there; the result is in [0, 1].

    Args:
        light: B factors k on the light.
        shot, read, profile, demosaic: see :func:`restore.degradations.raw.raw_noise`.
        bits: B depths of the raw data, as names.
        gamma: B exponents of the development, values^(1 / gamma).
    """
    shots, reads = noise_levels(seed, shot, read, profile)
    rows = zip(
        x.split(1), seed.tolist(), light.tolist(), shots, reads, bits, gamma.tolist(), demosaic, strict=True
    )
    made = [
        expose(
            part, random_camera(s), s, shot=slope, read=dark, demosaic=kind, light=k, bits=int(depth),
            gamma=g, tone=False,
        )
        for part, s, k, slope, dark, depth, g, kind in rows
    ]  # fmt: skip
    return torch.cat(made)


def low_light_gamma(
    x: Tensor, *, seed: Tensor, alpha: Tensor, beta: Tensor, gamma: Tensor, sigma: Tensor, bits: Tensor
) -> Tensor:
    """y = beta (alpha x)^gamma on encoded values (Lv et al. 2019), noise, 8 bits; below zero light is none.

    Args:
        alpha, beta, gamma: B values each.
        sigma: B standard deviations of Gaussian noise after darkening, in units of [0, 1].
        bits: B roundings (with a cut to [0, 1]); 0: none. The gradient passes straight through.
    """
    made = []
    rows = zip(
        x.split(1), seed.tolist(), *(v.tolist() for v in (alpha, beta, gamma, sigma, bits)), strict=True
    )
    for part, s, a, b, g, noise, depth in rows:
        kind = torch.promote_types(x.dtype, torch.float32)
        y = b * _power(part.to(kind) * a, g)
        if noise:
            y = y + noise * draw.normal_fields(torch.tensor([s]), tuple(x.shape[1:])).to(y)
        if depth:
            y = straight_through(y, image.quantise(y.detach(), bits=int(depth)))
        made.append(y.to(x.dtype))
    return torch.cat(made)


def _power(x: Tensor, exponent: float) -> Tensor:
    return colour.elementwise(lambda v: v.clamp(min=1e-8).pow(exponent), x)


def over_exposure(x: Tensor, *, seed: Tensor, gain: Tensor, space: list[str]) -> Tensor:
    """min(1, k x) in linear light: what is burnt out is lost (see :func:`burnt`).

    Args:
        gain: B factors k on the light.
        space: B names of the light's scale.
    """
    made = []
    for part, k, kind in zip(x.split(1), gain.tolist(), space, strict=True):
        light = colour.to_linear(part, space=kind) * k
        made.append(colour.to_encoded(light.clamp(max=1), space=kind))
    return torch.cat(made)


def burnt(x: Tensor, params: Params) -> Tensor:
    """Where over-exposure leaves nothing: a boolean mask ``B x C x H x W`` of the clean ``x``.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "overexposure":
        raise RestoreError(f"expected parameters of overexposure, got {params.name!r}")
    light = [
        colour.to_linear(part, space=s) for part, s in zip(x.split(1), params.values["space"], strict=True)
    ]
    return torch.cat(light) * column(params.values["gain"], x) >= 1


LOW_LIGHT = Degradation(
    "lowlight",
    low_light,
    {
        # MAET: k of a normal distribution (0.1, 0.08) cut to [0.01, 0.1]; the mild severities are our own.
        "light": Knob(
            "factor on the light",
            span=(0.01, 0.1),
            legal=(0.0, 1.0),
            levels={224: (0.3, 0.18, 0.11, 0.065, 0.04)},
        ),
        "shot": Knob(
            "slope of the raw variance over the light; 0: drawn from the seed",
            legal=(0.0, 1.0),
            levels={224: (3e-4, 5e-4, 8e-4, 1.2e-3, 2e-3)},
            default=0.0,
        ),
        "read": READ,
        "bits": Knob("depth of the raw data", choices=("12", "14", "16"), default="12|14|16"),
        # The upper end of MAET's range lifts shadows to grey: by severity it is a display's.
        "gamma": Knob(
            "exponent of the development", span=(2.0, 3.5), legal=(1.0, 5.0), levels={224: (2.2,) * 5}
        ),
        "profile": PROFILE,
        "demosaic": DEMOSAIC,
    },
)
LOW_LIGHT_GAMMA = Degradation(
    "lowlight-gamma",
    low_light_gamma,
    {
        "alpha": Knob("factor before the power", span=(0.9, 1.0), legal=(0.0, 2.0)),
        "beta": Knob(
            "factor after the power",
            span=(0.5, 1.0),
            legal=(0.0, 2.0),
            levels={224: (1.0, 0.9, 0.8, 0.7, 0.6)},
        ),
        "gamma": Knob(
            "exponent", span=(1.5, 5.0), legal=(0.1, 10.0), levels={224: (1.5, 1.9, 2.4, 3.0, 3.7)}
        ),
        "sigma": Knob(
            "standard deviation of noise; in a name in units of 255",
            span=(0.0, 10 / 255),
            legal=(0.0, 1.0),
            levels={224: (1 / 255, 2 / 255, 3 / 255, 4 / 255, 6 / 255)},
            unit=1 / 255,
        ),
        "bits": Knob("bits per value; 0: not rounded", legal=(0, 16), default=8, whole=True),
    },
)
OVER_EXPOSURE = Degradation(
    "overexposure",
    over_exposure,
    {
        "gain": Knob(
            "factor on the light",
            span=(1.5, 4.0),
            legal=(0.0, 100.0),
            levels={224: (1.5, 1.9, 2.4, 3.1, 4.0)},
        ),
        "space": Knob("scale of the light", choices=colour.SPACES, default="linear"),
    },
)
