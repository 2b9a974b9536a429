"""Measures colour: the cast, how the channels are attenuated (water), and how a print has faded and yellowed."""

from __future__ import annotations

import numpy as np

from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample

NAMES = (
    "red attenuation",
    "blue attenuation",
    "cast strength",
    "cast red-green",
    "cast yellow-blue",
    "saturation",
    "yellowing",
    "black lift",
)
_FLOOR = 2.0  # of 255
# Power mean between grey-world (1) and white-patch (infinity): shades of grey (Finlayson and Trezzi 2004).
_POWER = 6


def measure_color(sample: Sample) -> dict[str, Measurement]:
    """By name (:data:`NAMES`).

    ``red`` and ``blue attenuation``: natural logarithm of the mean of green over theirs (grey-world; its interval's
    other end is shades of grey), positive where they are weaker; ``cast strength``, ``cast red-green`` and ``cast
    yellow-blue``: of the mean in opponent colours, shares of the mean light, positive towards red and yellow;
    ``saturation``: its median; ``yellowing``: how far the brightest tenth is yellow, share of its light; ``black
    lift``: light of the darkest hundredth, a share of the brightest, which fading raises.
    """
    x = sample.thumbnail.reshape(-1, 3).astype(np.float64)
    mean = x.mean(0) + _FLOOR
    strong = (x**_POWER).mean(0) ** (1 / _POWER) + _FLOOR
    red, blue = (sorted(float(np.log(m[1] / m[c])) for m in (mean, strong)) for c in (0, 2))
    first = [float(np.log(mean[1] / mean[c])) for c in (0, 2)]
    opponent = [_opponent(m) for m in (mean, strong)]
    strength = [float(np.hypot(*o)) for o in opponent]
    light = x.mean(1)
    top = x.max(1)
    bright = x[light >= np.quantile(light, 0.9)].mean(0) + _FLOOR
    dark = float(np.quantile(light, 0.01))
    saturation = (top - x.min(1)) / (top + _FLOOR)
    quartiles = [float(v) for v in np.quantile(saturation, [0.5, 0.25, 0.75])]
    yellow = float((bright[:2].mean() - bright[2]) / bright.mean())
    lift = dark / max(float(np.quantile(light, 0.99)), _FLOOR)
    found: dict[str, tuple[float, float, float]] = {
        "red attenuation": (first[0], red[0], red[1]),
        "blue attenuation": (first[1], blue[0], blue[1]),
        "cast strength": (strength[0], min(strength), max(strength)),
        "cast red-green": _ends([o[0] for o in opponent]),
        "cast yellow-blue": _ends([o[1] for o in opponent]),
        "saturation": (quartiles[0], quartiles[1], quartiles[2]),
        "yellowing": (yellow, yellow, yellow),
        "black lift": (lift, lift, lift),
    }
    return {
        name: Measurement(name, *values, "log" if "attenuation" in name else "share")
        for name, values in found.items()
    }


def _opponent(mean: np.ndarray) -> tuple[float, float]:
    light = mean.mean()
    return float((mean[0] - mean[1]) / light), float((mean[:2].mean() - mean[2]) / light)


def _ends(values: list[float]) -> tuple[float, float, float]:
    return values[0], min(values), max(values)
