"""Dust and hairs, on the film (white) or on the lens of the scanner and the print (dark)."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.overlay import Canvas, Layer, grey_colour, paint, poisson_count, rows_of

_CORNERS = 9


def dust_layers(
    seed: int,
    height: int,
    width: int,
    *,
    count: float,
    radius: float,
    hairs: float,
    opacity: float,
    dark: float,
) -> list[Layer]:
    """Specks of log-normal size (sigma of ln 0.6) with uneven outlines, and thin curled hairs.

    Args:
        count: specks expected (Poisson) in a square of the short side, at least one.
        radius: their median radius in pixels.
        hairs: hairs expected in such a square.
        opacity: of the strongest; each has 0.6 of it to all of it.
        dark: share of black ones.
    """
    short = min(height, width)
    squares = height * width / short**2
    u, v = rows_of(draw.child_seed(seed, "dust"), 1, 2)[0]
    planes = Canvas(height, width), Canvas(height, width)
    turns = 2 * math.pi * np.arange(_CORNERS) / _CORNERS
    number = max(poisson_count(u, count * squares), 1)
    for row in rows_of(draw.child_seed(seed, "specks"), number, 6 + 2 * _CORNERS):
        normal = math.sqrt(-2 * math.log(max(row[0], 1e-9))) * math.cos(2 * math.pi * row[1])
        size = radius * math.exp(0.6 * normal)
        flat, turn = 0.55 + 0.45 * row[4], 2 * math.pi * row[5]
        reach = size * (0.7 + 0.6 * row[6 : 6 + _CORNERS])
        a, b = reach * np.cos(turns), reach * flat * np.sin(turns)
        c, s = math.cos(turn), math.sin(turn)
        middle = np.array([row[2] * width, row[3] * height])
        outline = middle + np.stack([a * c - b * s, a * s + b * c], 1)
        strength = opacity * (0.6 + 0.4 * row[-1])
        plane = planes[int(row[-2] < dark)]
        if size * plane.fine < 0.7:  # smaller than the finest pixel: one pixel, paler
            strength *= max(size * plane.fine / 0.7, 0.3) ** 2
        plane.polygon(outline, opacity=strength)
    for row in rows_of(draw.child_seed(seed, "hairs"), poisson_count(v, hairs * squares), 12):
        path = _hair(row, row[0] * width, row[1] * height, short / 256)
        planes[int(row[-2] < dark)].line(
            path, width=max(0.35 * radius, 0.15), opacity=opacity * (0.6 + 0.4 * row[-1])
        )
    soft = 0.2 * radius
    return [(p.opacity(soft=soft), grey_colour(c)) for p, c in zip(planes, (0.98, 0.05), strict=True)]


def _hair(row: np.ndarray, x: float, y: float, unit: float) -> np.ndarray:
    """A thread of 10 to 60 units whose curvature changes slowly."""
    length = (10 + 50 * row[2]) * unit
    t = np.linspace(0, 1, 25)
    bend = 5.0 * (row[4] - 0.5) * t + 2.2 * (row[5] - 0.5) * np.sin(2 * math.pi * (t * (1 + row[6]) + row[7]))
    heading = 2 * math.pi * row[3] + bend
    steps = np.stack([np.cos(heading), np.sin(heading)], 1) * (length / len(t))
    return np.array([x, y]) + steps.cumsum(0)


# Counts, sizes and opacities: [ours].
DUST = Degradation(
    "dust",
    partial(paint, layers=dust_layers),
    {
        "count": Knob(
            "specks expected in a square of the short side",
            span=(10, 150),
            legal=(0.0, 2000.0),
            levels={224: (15, 30, 60, 100, 160)},
        ),
        "radius": Knob(
            "median radius, pixels",
            span=(0.5, 1.5),
            legal=(0.01, 200.0),
            levels={224: (0.7, 0.8, 0.9, 1.0, 1.15)},
            is_length=True,
        ),
        "hairs": Knob(
            "hairs expected in such a square",
            span=(0, 6),
            legal=(0.0, 400.0),
            levels={224: (0.7, 1.5, 3, 5, 8)},
        ),
        "opacity": Knob(
            "opacity of the strongest", span=(0.6, 1.0), legal=(0.0, 1.0), levels={224: (0.7, 0.8, 0.9, 1, 1)}
        ),
        "dark": Knob("share of black ones", legal=(0.0, 1.0), default=0.3),
    },
)
