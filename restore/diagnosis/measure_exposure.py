"""Measures the light of a picture: mean, range, what is clipped, what the dark hides, whether lamps light it."""

from __future__ import annotations

import cv2
import numpy as np

from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample, brightest

NAMES = (
    "mean light",
    "dark point",
    "bright point",
    "clipped black",
    "clipped white",
    "shadow detail",
    "lamps",
)
# Of 255: at most, at least.
_BLACK, _WHITE = 1.5, 253.5
# Deeper than this is shadow; a texture whose deviation is more than this share of its light can be brought to light.
_SHADOW, _SIDE = 40.0, 8
# A lamp is bright while the picture around it is dark.
_LAMP, _NIGHT = 200.0, 50.0


def measure_exposure(sample: Sample) -> dict[str, Measurement]:
    """By name (:data:`NAMES`), shares between 0 and 1.

    ``mean light``, and the ``dark`` and ``bright point`` below which 1 and 99 % of the thumbnail lie; the shares of
    pixels that are ``clipped`` (all channels); ``shadow detail``: the share of the shadows whose texture stands out of
    the rounding to 8 bits; ``lamps``: how far the light of a dark picture is that of few bright spots, 0 where it is
    not dark.
    """
    light = sample.thumbnail.mean(2)
    dark, bright = np.quantile(light, [0.01, 0.99])
    n = sum(w.shape[0] * w.shape[1] for w in sample.windows)
    black = sum(float((brightest(w) <= _BLACK).sum()) for w in sample.windows) / n
    white = sum(float((-brightest(-w) >= _WHITE).sum()) for w in sample.windows) / n
    values = {
        "mean light": float(light.mean()) / 255,
        "dark point": float(dark) / 255,
        "bright point": float(bright) / 255,
        "clipped black": black,
        "clipped white": white,
        "shadow detail": _shadow_detail(sample),
        "lamps": _lamps(sample),
    }
    error = _share_error(len(sample.windows))
    whole = sample.height * sample.width <= n
    found = {}
    for name, v in values.items():
        lower, upper = (v, v) if whole else _around(v, error)
        found[name] = Measurement(name, v, lower, upper, "share")
    return found


def _shadow_detail(sample: Sample) -> float:
    """Of the blocks in shadow, the share with a deviation of more than one step of 8 bits."""
    shadows, detailed = 0, 0
    for y in sample.luma:
        h, w = (n // _SIDE * _SIDE for n in y.shape)
        if not h or not w:
            continue
        to = (w // _SIDE, h // _SIDE)
        mean = cv2.resize(y[:h, :w], to, interpolation=cv2.INTER_AREA)
        square = cv2.resize(y[:h, :w] ** 2, to, interpolation=cv2.INTER_AREA)
        in_shadow = mean < _SHADOW
        shadows += int(in_shadow.sum())
        detailed += int((in_shadow & (square - mean * mean > 1.0)).sum())
    return detailed / shadows if shadows else 0.0


def _lamps(sample: Sample) -> float:
    """Of the light above the median of a dark picture, the share that pixels give which are bright themselves."""
    fine = np.concatenate([brightest(w).ravel()[::4] for w in sample.windows])
    median = float(np.median(fine))
    if median > _NIGHT:
        return 0.0
    above = float(np.maximum(fine - median, 0).sum())
    lamps = float((fine[fine > _LAMP] - median).sum())
    return lamps / max(above, 1.0) * (1 - median / _NIGHT)


def _share_error(windows: int) -> float:
    """What the windows of a large picture may miss: they are as good as so many independent places."""
    return 1.64 * 0.5 / np.sqrt(4.0 * windows)


def _around(value: float, error: float) -> tuple[float, float]:
    error *= 2 * np.sqrt(max(value * (1 - value), 0.0))
    return max(0.0, value - error), min(1.0, value + error)
