"""Noise of sensors and of film that is not plain white noise (single photosites: ``photosites``).

Nothing is clipped. Ranges and severities without a source are our own design.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.filters import gaussian
from restore.degradations.knob import Knob
from restore.degradations.noise import column
from restore.degradations.psf import gaussian_line
from restore.image import to_grey

CHANNELS = ("each", "grey")
AXES = ("rows", "columns", "both")


def speckle(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """y = x (1 + N(0, sigma^2)): noise that is multiplied, as in radar and ultrasound.

    Args:
        sigma: B standard deviations at white.
    """
    return x + x * (column(sigma, x) * draw.normal_fields(seed, tuple(x.shape[1:])).to(x))


def impulse(x: Tensor, *, seed: Tensor, amount: Tensor, salt: Tensor, channels: list[str]) -> Tensor:
    """Salt and pepper: a share ``amount`` of the values becomes 1 (of them a share ``salt``) or 0.

    Args:
        channels: B names: "each" hits every channel on its own, "grey" whole pixels.
    """
    chance = draw.uniform_fields(seed, tuple(x.shape[1:])).to(x)
    shared = torch.tensor([kind == "grey" for kind in channels], device=x.device).view(-1, 1, 1, 1)
    chance = torch.where(shared, chance[:, :1].expand_as(chance), chance)
    hit, white = column(amount, x), column(amount * salt, x)
    return torch.where(chance < white, 1.0, torch.where(chance < hit, 0.0, x))


def line_noise(x: Tensor, *, seed: Tensor, sigma: Tensor, axis: list[str], channels: list[str]) -> Tensor:
    """Banding: every line of the sensor is read out with an error N(0, sigma^2) of its own.

    Args:
        sigma: B standard deviations per line, units of [0, 1].
        axis: B names: "rows", "columns", or "both" (with half of the variance each).
        channels: B names: "each" channel on its own, or all alike ("grey").
    """
    c, h, w = x.shape[1:]
    errors = draw.normal_fields(seed, (c, h + w)).to(x)
    made = []
    for part, error, s, kind, channel in zip(x, errors, sigma.tolist(), axis, channels, strict=True):
        error = error[:1] if channel == "grey" else error
        rows, columns = error[:, :h, None], error[:, None, h:]
        noise = {"rows": rows, "columns": columns, "both": (rows + columns) / 2**0.5}[kind]
        made.append(part + s * noise)
    return torch.stack(made)


def correlated_noise(x: Tensor, *, seed: Tensor, sigma: Tensor, size: Tensor, channels: list[str]) -> Tensor:
    """Blotchy noise: white noise blurred by a Gaussian and brought back to ``sigma``, as after a camera's own
    denoiser or a resize.

    Args:
        sigma: B standard deviations, units of [0, 1].
        size: B sigmas of the Gaussian, pixels.
        channels: B names: "each" channel on its own, or one field for all ("grey").
    """
    rows = zip(x, seed.tolist(), sigma.tolist(), size.tolist(), channels, strict=True)
    return torch.stack(
        [part + s * grain(i, _planes(part, kind), width).to(part) for part, i, s, width, kind in rows]
    )


def film_grain(x: Tensor, *, seed: Tensor, sigma: Tensor, size: Tensor, channels: list[str]) -> Tensor:
    """Grain of film: noise of deviation ``sigma sqrt(4 x (1 - x))``, strongest in the mid tones, none in pure black
    and white.

    Args:
        sigma: B standard deviations at x = 0.5, units of [0, 1].
        size: B sigmas of the grains, pixels.
        channels: B names: "grey" one field for all channels (black-and-white film, the tone from the picture's
            grey), "each" one for each dye layer.
    """
    made = []
    rows = zip(x, seed.tolist(), sigma.tolist(), size.tolist(), channels, strict=True)
    for part, i, s, width, kind in rows:
        tone = to_grey(part[None])[0] if kind == "grey" else part
        strength = (4 * tone * (1 - tone)).clamp(min=1e-6).sqrt()
        made.append(part + s * strength * grain(i, _planes(part, kind), width).to(part))
    return torch.stack(made)


def grain(seed: int, shape: tuple[int, int, int], size: float) -> Tensor:
    """Normal noise ``C x H x W`` of variance 1, correlated by a Gaussian of sigma ``size`` pixels."""
    line = gaussian_line(size)
    r = len(line) // 2
    c, h, w = shape
    field = draw.normal_fields(torch.tensor([seed]), (c, h + 2 * r, w + 2 * r))[0]
    return gaussian(field, size)[:, r : r + h, r : r + w] / float(line.square().sum())


def _planes(x: Tensor, kind: str) -> tuple[int, int, int]:
    """The shape of a noise field for a sample ``C x H x W``."""
    return (1 if kind == "grey" else len(x), x.shape[-2], x.shape[-1])


def _channels(default: str) -> Knob:
    return Knob("every channel on its own, or all alike", choices=CHANNELS, default=default)


def _sigma(levels: tuple[float, float, float, float, float], top: float) -> Knob:
    return Knob(
        "standard deviation; in a name in units of 255",
        span=(0.0, top),
        legal=(0.0, 2.0),
        levels={224: levels},
        unit=1 / 255,
    )


def _size(default: float, top: float) -> Knob:
    return Knob("sigma of the correlation, pixels", span=(0.4, top), legal=(0.0, 50.0), default=default)


SPECKLE = Degradation(
    "speckle",
    speckle,
    {
        # ImageNet-C, speckle_noise.
        "sigma": Knob(
            "standard deviation at white",
            span=(0.0, 0.6),
            legal=(0.0, 10.0),
            levels={
                32: (0.06, 0.1, 0.12, 0.16, 0.2),
                64: (0.15, 0.2, 0.25, 0.3, 0.35),
                224: (0.15, 0.2, 0.35, 0.45, 0.6),
            },
        )
    },
)
IMPULSE = Degradation(
    "impulse",
    impulse,
    {
        # ImageNet-C, impulse_noise.
        "amount": Knob(
            "share of the values that are hit",
            span=(0.0, 0.27),
            legal=(0.0, 1.0),
            levels={
                32: (0.01, 0.02, 0.03, 0.05, 0.07),
                64: (0.01, 0.02, 0.05, 0.08, 0.14),
                224: (0.03, 0.06, 0.09, 0.17, 0.27),
            },
        ),
        "salt": Knob(
            "share of the hit ones that become white", span=(0.3, 0.8), legal=(0.0, 1.0), default=0.5
        ),
        "channels": _channels("each"),
    },
)
LINE_NOISE = Degradation(
    "line-noise",
    line_noise,
    {
        "sigma": _sigma((0.012, 0.02, 0.035, 0.055, 0.085), 20 / 255),
        "axis": Knob("which lines", choices=AXES, default="rows"),
        "channels": _channels("grey"),
    },
)
CORRELATED_NOISE = Degradation(
    "correlated-noise",
    correlated_noise,
    {
        "sigma": _sigma((0.03, 0.045, 0.07, 0.1, 0.14), 40 / 255),
        "size": _size(0.9, 1.2),
        "channels": _channels("each"),
    },
)
FILM_GRAIN = Degradation(
    "film-grain",
    film_grain,
    {
        "sigma": _sigma((0.03, 0.045, 0.065, 0.09, 0.125), 40 / 255),
        "size": _size(0.6, 1.0),
        "channels": _channels("grey"),
    },
)
TABLE = {d.name: d for d in (SPECKLE, IMPULSE, LINE_NOISE, CORRELATED_NOISE, FILM_GRAIN)}
