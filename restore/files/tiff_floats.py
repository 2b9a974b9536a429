"""Floating TIFFs: white is 1, or what the file says it is.

Source: TIFF revision 6.0 (Adobe, 1992), section 19 (SMaxSampleValue); ImageJ's description of its display range.
"""

from __future__ import annotations

import re

import numpy as np
import tifffile

LARGEST_SAMPLE = 341


def scale_floats(array: np.ndarray, page: tifffile.TiffPage) -> tuple[np.ndarray, float]:
    """float32 with white at 1, and what white is in the file: 1 unless the file says something else.

    Raises:
        ImageError: values far above 1 in a file that does not say what white is.
    """
    from restore.image import LARGEST, check_scale  # only here: floats are rare, and it imports a lot

    values = array.astype(np.float32, copy=False)
    largest = float(np.max(values, initial=0.0, where=np.isfinite(values)))
    white = 1.0
    if largest > LARGEST:
        white = _white(page) or 1.0
        check_scale(largest / white, where="floating TIFF")
        values = values / np.float32(white) if white != 1.0 else values
    return values, white


def _white(page: tifffile.TiffPage) -> float | None:
    """What a floating file says is white: its largest sample (tag SMaxSampleValue), or ImageJ's display range."""
    told = page.tags.valueof(LARGEST_SAMPLE)
    for value in as_tuple(told):
        if isinstance(value, int | float) and 1 < value < float("inf"):
            return float(value)
    shown = re.search(r"^max=([\d.]+(?:[eE]\+?\d+)?)\s*$", page.description, re.MULTILINE)
    if page.description.startswith("ImageJ=") and shown and float(shown[1]) > 1:
        return float(shown[1])
    return None


def as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
