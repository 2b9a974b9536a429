"""Measures the level of white and of correlated noise, in luma and in colour, at three scales.

Noise is everywhere, texture is not: the quietest places tell (Immerkaer, "Fast noise variance estimation", 1996; Liu,
Tanaka and Okutomi, "Single-image noise level estimation for blind denoising", IEEE TIP 2013). White noise halves when
the picture is averaged over 2 x 2 pixels; what a camera, a codec or a resize has smoothed does not.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from restore.diagnosis.calibration import load_head
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample

SCALES = (1, 2, 4)
UNIT = "of 255"
PATCH = 8
SHARES = (0.005, 0.02, 0.1, 0.25, 0.5, 0.8)
_BANDS = 4  # of intensity
_FLOOR = 0.05  # of 255: far below what rounding to 8 bits leaves
# Nearer to black or white than this a pixel may be clipped; patches that hold many such tell nothing of noise.
_CLIPPED, _FEW = 1.5, 0.05
# Second differences, whose deviation under white noise is that of the noise: along either axis, where an edge shows
# in one of them only, and along both (Immerkaer's mask), which a camera's demosaicing leaves nearly nothing of.
_BEND = np.array([-1, 2, -1], np.float32) / np.sqrt(6)
_AXES = (_BEND[None], _BEND[:, None])
_DIAGONAL = (_BEND[:, None] * _BEND,)
LEVELS = ("noise level", *(f"{kind} noise, scale {s}" for kind in ("luma", "chroma") for s in SCALES))
NAMES = (*LEVELS, "noise correlation", "noise slope")


def measure_noise(sample: Sample) -> dict[str, Measurement]:
    """Levels by name (:data:`NAMES`).

    ``noise level`` is the standard deviation over the channels; ``luma`` and ``chroma noise`` are those of Y and of Cb
    and Cr after averaging over 1, 2 and 4 pixels a side; ``noise correlation`` is twice the ratio of luma at scale 2
    and 1: 1 for white noise, up to 2; ``noise slope`` is the share by which the deviation grows from dark to bright.
    """
    statistics = noise_statistics(sample)
    is_grey = not sample.chroma
    found = {}
    for name in LEVELS:
        if is_flat(statistics) or (is_grey and name.startswith("chroma")):
            value = lower = upper = 0.0
        else:
            value, lower, upper = (max(0.0, float(np.exp(v)) - 0.5) for v in load_head(name)(statistics))
        found[name] = Measurement(name, value, lower, upper, UNIT)
    fine, coarse = found["luma noise, scale 1"], found["luma noise, scale 2"]
    ratios = [
        2 * (c + 0.3) / (f + 0.6)
        for c, f in ((coarse.value, fine.value), (coarse.lower, fine.upper), (coarse.upper, fine.lower))
    ]
    value, lower, upper = (min(r, 2.0) for r in ratios)
    found["noise correlation"] = Measurement("noise correlation", value, lower, upper, "times white")
    low, high = statistics[-_BANDS], statistics[-1]
    slope = 0.0 if is_flat(statistics) else float(np.tanh(high - low))
    found["noise slope"] = Measurement("noise slope", slope, slope, slope, "share")
    return found


def is_flat(statistics: np.ndarray) -> bool:
    """Whether a tenth of the patches or more is exactly flat, as drawn (noise is everywhere), or there are none."""
    k = SHARES.index(0.1)
    return bool(max(statistics[k], statistics[len(SHARES) + k]) <= np.log(_FLOOR))


def noise_statistics(sample: Sample) -> np.ndarray:
    """Logarithms of quantiles of the residuals' deviation over patches: of luma at three scales along the axes, at two
    along both at once, of chroma at three; and of luma in bands of intensity."""
    lumas = [[y] for y in sample.luma]
    colours = [list(c) for c in sample.chroma]
    found = []
    for scale in SCALES:
        spread, light = _patches(sample.luma, lumas, scale, _AXES)
        found.append(_quantiles(spread))
        if scale == 2:
            by_light = _by_light(spread, light)
    found += [_quantiles(_patches(sample.luma, lumas, scale, _DIAGONAL)[0]) for scale in SCALES[:2]]
    found += [_quantiles(_patches(sample.luma, colours, scale, _AXES)[0]) for scale in SCALES]
    return np.concatenate([*found, by_light])


def _patches(
    lumas: list[np.ndarray], planes: list[list[np.ndarray]], scale: int, masks: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Deviation of the residual, under the mask that has least of it, and mean light of every patch that is not
    clipped."""
    spreads, lights = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    size = PATCH if scale == 1 else PATCH // 2
    for luma, parts in zip(lumas, planes, strict=bool(planes)):
        rows, columns = ((n // scale - 2) // size for n in luma.shape)
        if rows < 1 or columns < 1:
            continue
        inner = (slice(1, 1 + rows * size), slice(1, 1 + columns * size))

        def mean(x: np.ndarray, to: tuple[int, int] = (columns, rows), part: Any = inner) -> np.ndarray:
            return cv2.resize(x[part], to, interpolation=cv2.INTER_AREA)

        small = [_shrunk(plane, scale) for plane in parts]
        powers = []
        for mask in masks:
            residuals = [cv2.filter2D(x, cv2.CV_32F, mask, borderType=cv2.BORDER_REFLECT) for x in small]
            powers.append(np.mean([mean(r * r) for r in residuals], axis=0))
        clipped = ((luma < _CLIPPED) | (luma > 255 - _CLIPPED)).astype(np.float32)
        keep = mean(_shrunk(clipped, scale)) <= _FEW
        spreads.append(np.sqrt(np.minimum.reduce(powers)[keep]))
        lights.append(mean(_shrunk(luma, scale))[keep])
    return np.concatenate(spreads), np.concatenate(lights)


def _shrunk(plane: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return plane
    h, w = (n // scale for n in plane.shape)
    return cv2.resize(plane[: h * scale, : w * scale], (w, h), interpolation=cv2.INTER_AREA)


def _quantiles(spread: np.ndarray) -> np.ndarray:
    if not len(spread):
        return np.full(len(SHARES), np.log(_FLOOR))
    return np.log(np.maximum(np.quantile(spread, SHARES), _FLOOR))


def _by_light(spread: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The quiet tenth in four bands of intensity, from dark to bright; of all where a band is nearly empty."""
    if not len(spread):
        return np.full(_BANDS, np.log(_FLOOR))
    usual = np.quantile(spread, 0.1)
    found = []
    for k in range(_BANDS):
        part = spread[(light >= 256 / _BANDS * k) & (light < 256 / _BANDS * (k + 1))]
        found.append(np.quantile(part, 0.1) if len(part) >= 40 else usual)
    return np.log(np.maximum(found, _FLOOR))
