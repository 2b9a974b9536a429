"""Measures everything that formulas can say of a picture, and makes one vector of it for networks that decide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from restore.diagnosis import (
    measure_blur,
    measure_color,
    measure_coverage,
    measure_exposure,
    measure_haze,
    measure_jpeg,
    measure_noise,
    measure_scale,
)
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample, take_sample
from restore.diagnosis.spectrum import take_spectrum
from restore.tiling import Read

Tables = tuple[tuple[int, ...], ...]
# Every quantity by name, in the order of :func:`as_features`.
QUANTITIES = (
    *measure_noise.NAMES,
    *measure_jpeg.NAMES,
    *measure_blur.NAMES,
    *measure_scale.NAMES,
    *measure_exposure.NAMES,
    *measure_haze.NAMES,
    *measure_color.NAMES,
    *measure_coverage.NAMES,
)
# Levels, widths and shares span several orders of magnitude: log(value + offset).
_LOGS = {"of 255": 0.5, "px": 0.3, "times": 0.0}
_SMALL_SHARES = (
    "streaks",
    "flakes",
    "large flakes",
    "bright marks",
    "dark marks",
    "clipped black",
    "clipped white",
)
_SHARE_OFFSET = 1e-4
# Numbers of :func:`as_features`: value, lower and upper end of every quantity; of directions cosine and sine of twice
# the angle, and the doubt.
FEATURES = 3 * len(QUANTITIES)


def measure_picture(
    read: Read, height: int, width: int, tables: Tables | None = None
) -> dict[str, Measurement]:
    """All :data:`QUANTITIES` of one picture; the same effort however large it is.

    Args:
        read: ``read(top, bottom, left, right)`` gives that part, ``1 x C x h x w`` in [0, 1].
        tables: quantisation tables of the JPEG file it comes from.
    """
    return measure_sample(take_sample(read, height, width), tables)


def measure_sample(sample: Sample, tables: Tables | None = None) -> dict[str, Measurement]:
    """:func:`measure_picture` of parts that were taken already."""
    spectrum = take_spectrum(sample)
    scale = measure_scale.measure_scale(sample, spectrum)
    found = {
        **measure_noise.measure_noise(sample),
        **measure_jpeg.measure_jpeg(sample, tables),
        **measure_blur.measure_blur(sample, spectrum),
        scale.name: scale,
        **measure_exposure.measure_exposure(sample),
        **measure_haze.measure_haze(sample),
        **measure_color.measure_color(sample),
        **measure_coverage.measure_coverage(sample),
    }
    return {name: found[name] for name in QUANTITIES}


def as_features(measurements: Mapping[str, Measurement]) -> Tensor:
    """``FEATURES`` numbers of about unit size: three for every one of :data:`QUANTITIES`, in that order.

    Value, lower and upper end; in logarithms where the unit is a level, a length or a factor, or a share is usually
    tiny. Of a direction: cosine and sine of twice the angle, and half the width of its interval over 90 degrees.
    """
    return torch.from_numpy(np.concatenate([_three(measurements[name]) for name in QUANTITIES]))


def _three(m: Measurement) -> np.ndarray:
    ends = np.array([m.value, m.lower, m.upper], np.float32)
    if m.unit == "degrees":
        turn = np.radians(2 * m.value)
        return np.array([np.cos(turn), np.sin(turn), (m.upper - m.lower) / 180], np.float32)
    if m.unit in _LOGS:
        return np.log(ends + np.float32(_LOGS[m.unit]))
    if m.name in _SMALL_SHARES:
        return np.log(ends + np.float32(_SHARE_OFFSET)) / 4
    return ends / 50 if m.unit == "quality" else ends
