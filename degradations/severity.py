"""From severity 1-5 and picture size to a parameter, through published tables.

A table has one row of five values per size class (short side in pixels; ImageNet-C has 32, 64 and 224).
Between two classes positive values are interpolated geometrically in ln(size), values that may be 0 linearly.
Outside the classes the nearest row holds, except for lengths in pixels, which go on growing with the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

Row = tuple[float, float, float, float, float]


def from_table(
    table: Mapping[int, Row], severity: float, short_side: int, *, is_length: bool = False
) -> float:
    """The table's value at ``severity`` (1 to 5, fractions interpolate) for a picture of that short side."""
    classes = sorted(table)
    low = max((c for c in classes if c <= short_side), default=classes[0])
    high = min((c for c in classes if c >= short_side), default=classes[-1])
    a, b = in_row(table[low], severity), in_row(table[high], severity)
    if low != high:
        weight = (math.log(short_side) - math.log(low)) / (math.log(high) - math.log(low))
        return mix(a, b, weight)
    if is_length and not classes[0] <= short_side <= classes[-1]:
        return a * short_side / low
    return a


def in_row(row: Row, severity: float) -> float:
    """Interpolates a row of five values at ``severity``; below 1 the first value, above 5 the last."""
    place = min(max(severity, 1.0), 5.0) - 1.0
    i = min(int(place), 3)
    return mix(row[i], row[i + 1], place - i)


def mix(a: float, b: float, weight: float) -> float:
    """Geometric between positive values, linear otherwise; exact at ``weight`` 0 and 1."""
    if weight <= 0.0 or a == b:
        return a
    if weight >= 1.0:
        return b
    if a > 0 and b > 0:
        return math.exp((1 - weight) * math.log(a) + weight * math.log(b))
    return (1 - weight) * a + weight * b
