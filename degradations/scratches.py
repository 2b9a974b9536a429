"""Marks of handling: scratches, and creases where a print was folded."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.overlay import (
    Canvas,
    Layer,
    grey_colour,
    paint,
    poisson_count,
    rows_of,
    wobbly_line,
)


def scratch_layers(
    seed: int,
    height: int,
    width: int,
    *,
    count: float,
    thickness: float,
    opacity: float,
    dark: float,
    direction: str,
) -> list[Layer]:
    """Smooth thin lines, more or less opaque along their way, white ones and black ones.

    Args:
        count: how many are expected (Poisson), at least one.
        thickness: mean width in pixels; each has 0.4 to 1.6 of it.
        opacity: of the strongest one; each has half of it to all of it.
        dark: share of black ones.
        direction: "film" within 8 degrees of the vertical, "any".
    """
    short = min(height, width)
    first = rows_of(draw.child_seed(seed, "scratches"), 1, 1)[0, 0]
    number = max(poisson_count(first, count), 1)
    planes = Canvas(height, width), Canvas(height, width)
    for u in rows_of(draw.child_seed(seed, "scratch"), number, 16):
        tilt = math.radians(16 * (u[0] - 0.5)) if direction == "film" else math.pi * (u[0] - 0.5)
        # Lengths of 0.2 to 1.2 short sides; those of a film run on through the picture.
        length = (0.2 + u[1]) * (short if direction == "any" else height)
        sway = 0.012 if direction == "film" else 0.05
        path = wobbly_line(
            np.array([u[2] * width, u[3] * height]), math.pi / 2 + tilt, length, u[4:8], sway=sway
        )
        t = np.linspace(0, 1, len(path))
        waves = 0.75 + 0.25 * np.sin(2 * math.pi * (t * (2 + 5 * u[8]) + u[9]))
        ends = np.minimum(1, 12 * np.minimum(t, 1 - t) + 0.15)
        strength = opacity * (0.5 + 0.5 * u[10]) * waves * ends
        planes[int(u[11] < dark)].line(path, width=thickness * (0.4 + 1.2 * u[12]), opacity=strength)
    soft = 0.2 * thickness
    return [(p.opacity(soft=soft), grey_colour(c)) for p, c in zip(planes, (1.0, 0.02), strict=True)]


def crease_layers(
    seed: int, height: int, width: int, *, count: float, thickness: float, opacity: float
) -> list[Layer]:
    """Folds through the whole picture: a cracked bright line, a dark one beside it, and shading around both.

    Args:
        count: how many, whole.
        thickness: of the bright line, pixels.
        opacity: of the bright line where the surface is broken.
    """
    soft_shade = 8 * thickness
    y = torch.arange(height, dtype=torch.float32)[:, None]
    x = torch.arange(width, dtype=torch.float32)[None]
    bright, dark = Canvas(height, width), Canvas(height, width)
    light, shade = torch.zeros(height, width), torch.zeros(height, width)
    reach = math.hypot(height, width)
    rows = rows_of(draw.child_seed(seed, "crease"), int(count), 12)
    for number, u in enumerate(rows):
        # Prints are folded across and along, in turn, hardly ever askew.
        upright = (rows[0, 0] < 0.5) != bool(number % 2)
        angle = (math.pi / 2 if upright else 0.0) + 0.25 * (u[1] - 0.5)
        middle = np.array([(0.2 + 0.6 * u[2]) * width, (0.2 + 0.6 * u[3]) * height])
        path = wobbly_line(middle, angle, 2 * reach, u[4:8], sway=0.004, points=161)
        # Broken all along in patches: an uneven crack, not a ruled line.
        noise = np.convolve(
            rows_of(draw.child_seed(seed, "crack", number), 1, 165)[0], np.ones(5) / 5, "valid"
        )
        cracks = np.clip(0.45 + 2.2 * (noise - 0.42), 0.15, 1.0)
        normal = np.array([math.sin(angle), math.cos(angle)])
        bright.line(path, width=thickness, opacity=opacity * cracks)
        dark.line(path + normal * thickness, width=thickness, opacity=0.55 * opacity * cracks)
        side = (x - middle[0]) * normal[0] + (y - middle[1]) * normal[1]
        fall = torch.exp(-side.abs() / soft_shade) * (0.35 * opacity)
        shade = torch.maximum(shade, torch.where(side > 0, fall, 0.0))
        light = torch.maximum(light, torch.where(side <= 0, 0.6 * fall, 0.0))
    soft = 0.3 * thickness
    return [
        (shade, grey_colour(0.1)),
        (light, grey_colour(0.95)),
        (dark.opacity(soft=soft), grey_colour(0.08)),
        (bright.opacity(soft=soft), torch.tensor([0.96, 0.94, 0.9])),
    ]


# Ranges of counts, widths, lengths and opacities: [ours].
SCRATCHES = Degradation(
    "scratches",
    partial(paint, layers=scratch_layers),
    {
        "count": Knob(
            "how many are expected", span=(2, 20), legal=(0.0, 400.0), levels={224: (3, 6, 10, 16, 24)}
        ),
        "thickness": Knob(
            "mean width, pixels",
            span=(0.5, 2.5),
            legal=(0.01, 200.0),
            levels={224: (0.7, 0.9, 1.1, 1.4, 1.7)},
            is_length=True,
        ),
        "opacity": Knob(
            "opacity of the strongest",
            span=(0.5, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.6, 0.75, 0.9, 1, 1)},
        ),
        "dark": Knob("share of black ones", legal=(0.0, 1.0), default=0.3),
        "direction": Knob(
            "within 8 degrees of the vertical, or any", choices=("any", "film"), default="any|film"
        ),
    },
)
CREASE = Degradation(
    "crease",
    partial(paint, layers=crease_layers),
    {
        "count": Knob(
            "how many folds", span=(1, 3), legal=(0, 40), levels={224: (1, 1, 2, 2, 3)}, whole=True
        ),
        "thickness": Knob(
            "width of the broken line, pixels",
            span=(0.6, 2.0),
            legal=(0.01, 200.0),
            levels={224: (0.6, 0.8, 1.0, 1.4, 1.8)},
            is_length=True,
        ),
        "opacity": Knob(
            "opacity where the surface is broken",
            span=(0.3, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.35, 0.5, 0.65, 0.8, 1.0)},
        ),
    },
)
