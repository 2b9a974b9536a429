"""The broken surface of an old print: jagged white cracks that branch, and the margins of the paper."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.overlay import Canvas, Layer, grey_colour, paint, poisson_count, rows_of
from restore.degradations.stamps import smooth_plane

_JOINTS = 16  # of a crack
_PAPER = torch.tensor([0.96, 0.93, 0.86])


def crack_layers(
    seed: int, height: int, width: int, *, count: float, thickness: float, opacity: float, branches: float
) -> list[Layer]:
    """Jagged cracks from the border inwards or anywhere, each with branches, paper showing through.

    Args:
        count: how many are expected (Poisson), at least one.
        thickness: mean width, pixels; uneven along the way.
        opacity: of the strongest.
        branches: branches expected of each.
    """
    short = min(height, width)
    plane = Canvas(height, width)
    number = max(poisson_count(rows_of(draw.child_seed(seed, "cracks"), 1, 1)[0, 0], count), 1)
    for i, u in enumerate(rows_of(draw.child_seed(seed, "crack"), number, 8)):
        start, heading = _beginning(u, height, width)
        stack = [(start, heading, (0.15 + 0.7 * u[3]) * short, 1.0)]
        for j, v in enumerate(
            rows_of(draw.child_seed(seed, "way", i), 1 + poisson_count(u[4], branches), 50)
        ):
            begin, turn, length, wide = stack[0] if j == 0 else stack[1 + int(v[48] * (len(stack) - 1))]
            path = _jagged(begin, turn, length, v[: 2 * _JOINTS])
            uneven = 0.35 + 0.65 * np.interp(np.linspace(0, 1, _JOINTS + 1), np.linspace(0, 1, 16), v[32:48])
            stroke = thickness * wide * (0.5 + u[5])
            plane.line(path, width=stroke, opacity=opacity * (0.6 + 0.4 * u[6]) * uneven)
            if j == 0:  # where branches leave, and where they go
                stack += [
                    (path[k], turn + side * (0.6 + 0.9 * u[7]), 0.5 * length, 0.7 * wide)
                    for k, side in ((3, 1.0), (6, -1.0), (9, 1.0), (12, -1.0))
                ]
    return [(plane.opacity(soft=0.15 * thickness), _PAPER)]


def _beginning(u: np.ndarray, height: int, width: int) -> tuple[np.ndarray, float]:
    """Three in four at a border, pointing inwards; else anywhere."""
    if u[0] < 0.25:
        return np.array([u[1] * width, u[2] * height]), 2 * math.pi * u[0] / 0.25
    side, aside = int(u[0] * 16) % 4, 1.2 * (u[2] - 0.5)
    places = (
        (u[1] * width, 0.0),
        (width - 1.0, u[1] * height),
        (u[1] * width, height - 1.0),
        (0.0, u[1] * height),
    )
    return np.array(places[side]), (math.pi / 2, math.pi, -math.pi / 2, 0.0)[side] + aside


def _jagged(start: np.ndarray, heading: float, length: float, u: np.ndarray) -> np.ndarray:
    """Joints (N x 2) of a way whose direction jumps at each and wanders slowly."""
    jumps = 1.1 * (u[:_JOINTS] - 0.5) + 0.45 * np.cumsum(u[_JOINTS:] - 0.5)
    steps = np.stack([np.cos(heading + jumps), np.sin(heading + jumps)], 1) * (length / _JOINTS)
    return np.concatenate([start[None], start + steps.cumsum(0)])


def margin_layers(
    seed: int, height: int, width: int, *, share: float, brightness: float, rough: float, round: float
) -> list[Layer]:
    """The margin around a print: paper, or the dark of a scanner, with round corners and an uneven edge.

    Args:
        share: width over the short side.
        brightness: of the margin.
        rough: how far its edge wanders, over its width.
        round: radius of the corners over the short side.
    """
    short = min(height, width)
    u = rows_of(draw.child_seed(seed, "margin"), 1, 4)[0]
    wide = share * short * (0.6 + 0.8 * u)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    corner = round * short
    # A signed distance to a rectangle with round corners, positive outside.
    dy = np.maximum(wide[0] + corner - y, y - (height - 1 - wide[1] - corner))
    dx = np.maximum(wide[2] + corner - x, x - (width - 1 - wide[3] - corner))
    away = np.hypot(np.maximum(dy, 0), np.maximum(dx, 0)) + np.minimum(np.maximum(dy, dx), 0) - corner
    if rough:
        wander = smooth_plane(draw.child_seed(seed, "edge"), height, width, cells=12, octaves=2) - 0.5
        away = away + 2 * rough * share * short * wander
    opacity = torch.from_numpy(np.clip(away + 0.5, 0, 1).astype(np.float32))
    tint = grey_colour(brightness) * torch.tensor([1.0, 0.985, 0.95])
    return [(opacity, tint)]


# Counts, widths and shares: [ours].
CRACKS = Degradation(
    "cracks",
    partial(paint, layers=crack_layers),
    {
        "count": Knob(
            "how many are expected", span=(2, 14), legal=(0.0, 200.0), levels={224: (2, 4, 7, 11, 16)}
        ),
        "thickness": Knob(
            "mean width, pixels",
            span=(0.6, 3.0),
            legal=(0.01, 200.0),
            levels={32: (0.5, 0.55, 0.6, 0.7, 0.8), 224: (0.8, 1.0, 1.3, 1.6, 2.0)},
            is_length=True,
        ),
        "opacity": Knob(
            "opacity of the strongest",
            span=(0.5, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.6, 0.75, 0.9, 1, 1)},
        ),
        "branches": Knob("branches expected of each", span=(0, 4), legal=(0.0, 20.0), default=2.0),
    },
)
PRINT_MARGIN = Degradation(
    "print-margin",
    partial(paint, layers=margin_layers),
    {
        "share": Knob(
            "width over the short side",
            span=(0.02, 0.12),
            legal=(0.0, 0.5),
            levels={224: (0.015, 0.03, 0.05, 0.08, 0.12)},
        ),
        "brightness": Knob("of the margin", span=(0.75, 1.0), legal=(0.0, 1.0)),
        "rough": Knob("how far its edge wanders, over its width", legal=(0.0, 2.0), default=0.0),
        "round": Knob("radius of the corners over the short side", legal=(0.0, 0.5), default=0.0),
    },
)
TABLE = {d.name: d for d in (CRACKS, PRINT_MARGIN)}
