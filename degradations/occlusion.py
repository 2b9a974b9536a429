"""Parts of the picture that are gone: rectangles, brush strokes, irregular holes, torn edges."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import fbm
from restore.degradations.knob import Knob
from restore.degradations.overlay import Canvas, Layer, grey_colour, paint, rows_of, wobbly_line

SHAPES = ("rectangles", "strokes", "holes", "tears")
_MOST = 400  # shapes drawn at most, before the cover is given up


def hole_layers(seed: int, height: int, width: int, *, shape: str, cover: float, value: float) -> list[Layer]:
    """One layer with hard edges (opacity 0 or 1), of the grey ``value``.

    For one seed a larger cover contains a smaller one.

    Args:
        shape: "rectangles", "strokes" (of a brush), "holes" (fractal), "tears" (from the border inwards).
        cover: the share of the picture that is gone, reached by whole shapes ("holes": exactly).
    """
    if cover <= 0:
        return []
    if cover >= 1:
        gone = torch.ones(height, width)
    elif shape == "holes":
        gone = _holes(seed, height, width, cover)
    else:
        gone = _drawn(seed, height, width, shape, cover)
    return [(gone, grey_colour(value))]


def _holes(seed: int, height: int, width: int, cover: float) -> Tensor:
    field = fbm(draw.child_seed(seed, "holes"), height, width, cells=3.0, persistence=0.6)
    number = min(max(round(cover * field.numel()), 1), field.numel())
    level = torch.from_numpy(-np.partition(-field.numpy().ravel(), number - 1)[number - 1 : number])
    return (field >= level).float()


def _drawn(seed: int, height: int, width: int, shape: str, cover: float) -> Tensor:
    """Shapes one after the other until they cover enough."""
    plane = np.zeros((height, width), np.float32)
    make = {"rectangles": _rectangle, "strokes": _stroke, "tears": _tear}[shape]
    for row in rows_of(draw.child_seed(seed, shape), _MOST, 24):
        plane = np.maximum(plane, make(row, height, width))
        if plane.mean() >= cover:
            break
    return torch.from_numpy(plane)


def _rectangle(u: np.ndarray, height: int, width: int) -> np.ndarray:
    """1 to 4 % of the picture, sides up to 1 : 3."""
    area, aspect = (0.01 + 0.03 * u[0]) * height * width, 3 ** (2 * u[1] - 1)
    rows = min(max(round(math.sqrt(area * aspect)), 1), height)
    columns = min(max(round(math.sqrt(area / aspect)), 1), width)
    top, left = int(u[2] * (height - rows + 1)), int(u[3] * (width - columns + 1))
    plane = np.zeros((height, width), np.float32)
    plane[top : top + rows, left : left + columns] = 1
    return plane


def _stroke(u: np.ndarray, height: int, width: int) -> np.ndarray:
    """A round brush of 2 to 6 % of the short side along a bent line."""
    short = min(height, width)
    middle = np.array([u[0] * width, u[1] * height])
    path = wobbly_line(middle, math.pi * u[2], (0.25 + 0.45 * u[3]) * short, u[4:8], sway=0.4)
    canvas = Canvas(height, width)
    canvas.line(path, width=(0.02 + 0.04 * u[8]) * short, opacity=1.0)
    return (canvas.opacity().numpy() >= 0.5).astype(np.float32)


def _tear(u: np.ndarray, height: int, width: int) -> np.ndarray:
    """A ragged wedge from one side of the picture inwards."""
    short = min(height, width)
    side, at = int(u[0] * 4), u[1]
    deep, wide = (0.08 + 0.3 * u[2] ** 2) * short, (0.06 + 0.2 * u[3]) * short
    t = np.linspace(-1, 1, 21)
    ragged = np.interp(t, np.linspace(-1, 1, 16), u[8:24]) - 0.5
    inwards = deep * ((1 - np.abs(t)) + 0.35 * ragged * (1 - np.abs(t)) ** 0.5)
    inwards[[0, -1]] = -2
    along = wide * t + 0.6 * (u[4] - 0.5) * np.maximum(inwards, 0)
    if side < 2:
        x, y = at * width + along, inwards if side == 0 else height - 1 - inwards
    else:
        x, y = (inwards if side == 2 else width - 1 - inwards), at * height + along
    canvas = Canvas(height, width)
    canvas.polygon(np.stack([x, y], 1), opacity=1.0)
    return (canvas.opacity().numpy() >= 0.5).astype(np.float32)


# Shares: [ours].
MASK = Degradation(
    "mask",
    partial(paint, layers=hole_layers),
    {
        "shape": Knob("what is cut out", choices=SHAPES, default="rectangles|strokes|holes"),
        "cover": Knob(
            "share of the picture that is gone",
            span=(0.03, 0.4),
            legal=(0.0, 1.0),
            levels={224: (0.03, 0.08, 0.15, 0.25, 0.4)},
        ),
        "value": Knob("the grey that is left there", legal=(0.0, 1.0), default=0.0),
    },
)
