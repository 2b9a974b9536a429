"""Compares a picture before and after a treatment: the fault must have shrunk, and nothing else may have got worse."""

from __future__ import annotations

import cv2
import numpy as np

from restore.diagnosis.evidence import Evidence, as_8_bits
from restore.diagnosis.policy import SIZES, Policy
from restore.diagnosis.treatments import Treatment

# Measures that shrink when the fault does; of the others more is better.
_LESS = ("noise level", "blur width", "enlargement", "streaks", "flakes")
# How much more of the picture may be clipped, and by how many levels the mean of a block of 16 x 16 may move where
# light is not meant to change.
_CLIPPED, _DRIFT = 0.05, 3.0
_BLOCK = 16
# Another fault is new where it was improbable by this factor of its threshold's odds before.
_NEW = 0.25


def find_harm(
    before: np.ndarray,
    after: np.ndarray,
    *,
    treatment: Treatment,
    was: Evidence,
    now: Evidence,
    policy: Policy,
) -> str | None:
    """Why the treatment should be taken back, in words; None where it should not.

    Args:
        before, after: ``H x W x C`` of one size and depth.
        was, now: the evidence of both.
    """
    if not any(_shrank(family, was, now) for family in treatment.families):
        return f"{treatment.families[0]} is as it was"
    a, b = as_8_bits(before), as_8_bits(after)
    clipped = [float(np.mean((x == 0) | (x == 255))) for x in (a, b)]
    if clipped[1] > clipped[0] + _CLIPPED:
        return f"{100 * (clipped[1] - clipped[0]):.0f} % more of the picture would be clipped"
    if treatment.keeps_mean:
        drift, allowed = _block_drift(a, b), _allowed_drift(was)
        if drift > allowed:
            return f"local brightness would drift by {drift:.0f} levels"
    for family, limit in policy.found.items():
        if family in treatment.families:
            continue
        odds = limit / (1 - limit)
        old, new = (_odds(e.probabilities[family]) for e in (was, now))
        if new > odds and old < _NEW * odds and family in _INVENTED:
            return f"{family} would appear"
    return None


# What a treatment can invent: what only comes to light behind a fault is not invented.
_INVENTED = ("moire", "underwater")


def _shrank(family: str, was: Evidence, now: Evidence) -> bool:
    old, new = (_odds(e.probabilities[family]) for e in (was, now))
    if new < old:
        return True
    if family not in SIZES:
        return False
    name, _ = SIZES[family]
    a, b = (e.measurements[name].value for e in (was, now))
    return b < a if name in _LESS else b > a


def _odds(probability: float) -> float:
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return p / (1 - p)


def _allowed_drift(was: Evidence) -> float:
    """By how many levels the mean of a block may move.

    That of white noise moves by a sixteenth of its level, of noise that neighbours share by more, and clipped noise has
    a bias; a codec has rounded the means of its blocks to steps that grow as its quality falls.
    """
    noise, quality = (was.measurements[name].value for name in ("noise level", "JPEG quality"))
    return _DRIFT + noise / 2 + max(0.0, 60 - quality) / 4


def _block_drift(a: np.ndarray, b: np.ndarray) -> float:
    """The 99th percentile of how far the means of 16 x 16 pixels moved, in levels of 255."""
    size = tuple(max(1, n // _BLOCK) for n in a.shape[1::-1])
    small = [cv2.resize(x, size, interpolation=cv2.INTER_AREA).astype(np.float32) for x in (a, b)]
    return float(np.percentile(np.abs(small[0] - small[1]), 99))
