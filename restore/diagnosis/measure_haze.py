"""Measures haze: the airlight, how much light comes through it, and what contrast is left.

By the dark channel (He, Sun and Tang, "Single image haze removal using dark channel prior", IEEE TPAMI 2011) of a
thumbnail: in clear outdoor pictures some colour of nearly every neighbourhood is dark; haze lifts it by the airlight's
share. Snow, clouds and white walls do so as well: the interval's upper end takes all that is bright and without
colour for scene.
"""

from __future__ import annotations

import cv2
import numpy as np

from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample

NAMES = ("transmission", "airlight", "airlight saturation", "contrast", "local contrast")
# Side of the neighbourhood in cells of the thumbnail; of the haziest cells the brightest give the airlight.
_PATCH, _HAZIEST = 7, 0.005
_OMEGA = 0.95


def measure_haze(sample: Sample) -> dict[str, Measurement]:
    """By name (:data:`NAMES`), shares between 0 and 1.

    ``transmission``: the median share of the scene's light that comes through; ``airlight``: its luma;
    ``airlight saturation``: how coloured it is; ``contrast``: deviation of luma over its mean; ``local contrast``: the
    median deviation in neighbourhoods over their mean.
    """
    x = np.ascontiguousarray(sample.thumbnail / 255)
    kernel = np.ones((min(_PATCH, max(1, min(x.shape[:2]))),) * 2, np.uint8)
    dark = cv2.erode(np.ascontiguousarray(x.min(2)), kernel)
    count = max(1, round(_HAZIEST * dark.size))
    place = np.argpartition(dark.ravel(), -count)[-count:]
    candidates = x.reshape(-1, 3)[place]
    air = candidates[candidates.sum(1).argmax()].astype(np.float64)
    scaled = np.ascontiguousarray((x / np.maximum(air, 0.1)).min(2).astype(np.float32))
    taken = cv2.erode(scaled, kernel)
    transmission = 1 - _OMEGA * np.clip(taken, 0, 1)
    low, middle, high = (float(v) for v in np.quantile(transmission, [0.25, 0.5, 0.75]))
    luma = x @ np.array([0.299, 0.587, 0.114], np.float32)
    mean = cv2.blur(luma, kernel.shape)
    spread = np.sqrt(np.maximum(cv2.blur(luma * luma, kernel.shape) - mean * mean, 0))
    contrast = float(luma.std() / max(float(luma.mean()), 0.02))
    local = float(np.median(spread / np.maximum(mean, 0.02)))
    bright = float(air @ [0.299, 0.587, 0.114])
    coloured = float((air.max() - air.min()) / max(air.max(), 0.02))
    found = {
        "transmission": (middle, low, high),
        "airlight": (bright, float(candidates.mean(1).min()), float(candidates.mean(1).max())),
        "airlight saturation": (coloured,) * 3,
        "contrast": (contrast,) * 3,
        "local contrast": (
            local,
            *(float(v) for v in np.quantile(spread / np.maximum(mean, 0.02), [0.25, 0.75])),
        ),
    }
    return {
        name: Measurement(name, v, min(v, low), max(v, high), "share")
        for name, (v, low, high) in found.items()
    }
