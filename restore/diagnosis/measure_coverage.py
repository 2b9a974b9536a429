"""Measures what lies before or on a picture: thin bright streaks of one direction, bright blobs, thin scratches.

Thin things are what an opening takes away (a top-hat); streaks of one direction are found by the structure tensor of
the residual (Bigün and Granlund 1987), blobs by how round they are.
"""

from __future__ import annotations

import cv2
import numpy as np

from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample

NAMES = (
    "streaks",
    "streak direction",
    "streak agreement",
    "flakes",
    "large flakes",
    "bright marks",
    "dark marks",
)
# A thin thing stands out by this much (of 255) more than three times its neighbourhood does.
_STANDS_OUT, _TIMES = 12.0, 3.0
_FINE = np.ones((5, 5), np.uint8)
_AROUND = 15


def measure_coverage(sample: Sample) -> dict[str, Measurement]:
    """By name (:data:`NAMES`), shares of all pixels; agreement of 1: all streaks lie in one direction.

    ``streak direction`` is in degrees from the x axis towards the top, 0 to 180.
    """
    rows = [_window(y) for y in sample.luma if min(y.shape) >= 16]
    if not rows:
        rows = [np.zeros(8)]
    table = np.array(rows)
    weights = np.array([y.size for y in sample.luma if min(y.shape) >= 16] or [1], float)
    mean = np.average(table, axis=0, weights=weights)
    error = 1.64 * table.std(0) / np.sqrt(len(table))
    bright, dark, streaks, flakes, large, xx_yy, xy, energy = mean
    agreement = float(np.hypot(xx_yy, 2 * xy) / energy) if energy > 0 else 0.0
    # The gradient's direction is across a streak.
    direction = float((np.degrees(0.5 * np.arctan2(-2 * xy, xx_yy)) + 90) % 180)
    spread = float(np.degrees(0.5 * np.arccos(np.clip(agreement, 0, 1))))
    shares = {"streaks": (streaks, 2), "flakes": (flakes, 3), "large flakes": (large, 4)}
    shares |= {"bright marks": (bright, 0), "dark marks": (dark, 1)}
    found = {
        name: Measurement(
            name, float(v), max(0.0, float(v - error[k])), min(1.0, float(v + error[k])), "share"
        )
        for name, (v, k) in shares.items()
    }
    found["streak direction"] = Measurement(
        "streak direction", direction, direction - spread, direction + spread, "degrees"
    )
    found["streak agreement"] = Measurement("streak agreement", agreement, agreement, agreement, "share")
    return {name: found[name] for name in NAMES}


def _window(y: np.ndarray) -> np.ndarray:
    """Shares of bright and dark thin things, streaks, small and large flakes; the structure tensor of bright ones."""
    smooth = cv2.GaussianBlur(y, (0, 0), 0.8)
    top = cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, _FINE)
    bottom = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, _FINE)
    is_bright, is_dark = (_standing_out(hat) for hat in (top, bottom))
    half = cv2.resize(smooth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    coarse = cv2.morphologyEx(half, cv2.MORPH_TOPHAT, np.ones((9, 9), np.uint8))
    is_large = _standing_out(coarse)
    gx, gy = (cv2.Sobel(top, cv2.CV_32F, *d, ksize=3) for d in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.blur(p, (9, 9)) for p in (gx * gx, gy * gy, gx * gy))
    energy = xx + yy
    coherent = np.hypot(xx - yy, 2 * xy) / (energy + 20.0)
    is_streak = is_bright & (coherent > 0.6)
    is_flake = is_bright & (coherent < 0.25)
    weight = is_bright.astype(np.float32)
    sums = [float((weight * p).mean()) for p in (xx - yy, xy, energy)]
    shares = [float(m.mean()) for m in (is_bright, is_dark, is_streak, is_flake, is_large)]
    return np.array([*shares, *sums])


def _standing_out(hat: np.ndarray) -> np.ndarray:
    return hat > np.maximum(_STANDS_OUT, _TIMES * cv2.blur(hat, (_AROUND, _AROUND)))
