"""Stains of damp storage: mildew (foxing) and the rims that water leaves."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import fbm
from restore.degradations.knob import Knob
from restore.degradations.overlay import Canvas, Layer, paint, poisson_count, rows_of

# Stains have no fine detail: their shapes are made at this short side at most and enlarged.
_FINEST = 640


def mildew_layers(seed: int, height: int, width: int, *, cover: float, opacity: float) -> list[Layer]:
    """Brown blobs of fractal outline, and small spots around them.

    Args:
        cover: share of the picture under the blobs.
        opacity: of the blobs, in their middle.
    """
    rows, columns = _working_size(height, width)
    # Half clouds, half coarse lumps: blobs of many sizes.
    field = fbm(draw.child_seed(seed, "mildew"), rows, columns, cells=4.0, persistence=0.65)
    sorted_values = field.flatten().sort().values
    level = sorted_values[min(int((1 - cover) * len(sorted_values)), len(sorted_values) - 1)]
    # Smooth at the rim, denser inside; the rim's width follows the field's own steepness.
    blobs = ((field - level) / 0.07).clamp(0, 1) if cover > 0 else torch.zeros_like(field)
    blotch = fbm(draw.child_seed(seed, "blotch"), rows, columns, cells=12.0, persistence=0.8)
    blobs = blobs * (0.4 + 0.6 * blotch)
    canvas = Canvas(rows, columns)
    unit = min(rows, columns) / 256
    u = rows_of(draw.child_seed(seed, "satellites"), 1, 1)[0, 0]
    turns = np.linspace(0, 2 * math.pi, 9)[:-1]
    for row in rows_of(draw.child_seed(seed, "spots"), poisson_count(u, 900 * cover), 12):
        place = np.array([row[0] * columns, row[1] * rows])
        # Where the field is low few spots survive: they gather around the blobs.
        nearby = float(field[min(int(place[1]), rows - 1), min(int(place[0]), columns - 1)])
        if row[2] > nearby**2 * 2.0:
            continue
        reach = (0.6 + 2.2 * row[3] ** 2) * unit * (0.8 + 0.4 * row[4:12])
        outline = place + np.stack([reach * np.cos(turns), reach * np.sin(turns)], 1)
        canvas.polygon(outline, opacity=0.4 + 0.6 * row[4])
    spots = canvas.opacity(soft=0.5 * unit)
    tint = torch.from_numpy(rows_of(draw.child_seed(seed, "tint"), 1, 3)[0]).float()
    colour = torch.tensor([0.55, 0.38, 0.20]) + 0.2 * (tint - 0.5)
    mask = 1 - (1 - blobs) * (1 - spots)
    return [(_enlarge(mask, height, width) * opacity, colour)]


def water_stain_layers(
    seed: int, height: int, width: int, *, count: float, rim: float, darken: float
) -> list[Layer]:
    """Dried puddles: a dark rim where the dirt gathered, exp(-(distance / rim)^2), and a faint tint inside.

    Args:
        count: how many, whole.
        rim: width of the rim, pixels.
        darken: opacity of the rim; inside it is a third of that.
    """
    rows, columns = _working_size(height, width)
    ratio = min(rows, columns) / min(height, width)
    y = torch.arange(rows, dtype=torch.float32)[:, None]
    x = torch.arange(columns, dtype=torch.float32)[None]
    ring, inside = torch.zeros(rows, columns), torch.zeros(rows, columns)
    paper = fbm(draw.child_seed(seed, "paper"), rows, columns, cells=8.0, persistence=0.7)
    for number, u in enumerate(rows_of(draw.child_seed(seed, "puddles"), int(count), 4)):
        radius = (0.15 + 0.35 * u[0]) * min(rows, columns)
        outline = fbm(draw.child_seed(seed, "puddle", number), rows, columns, cells=2.5, persistence=0.5)
        away = torch.hypot(y - u[1] * rows, x - u[2] * columns)
        # Signed distance, nearly: that of a disc whose radius the field bends.
        distance = away - radius * (0.55 + 0.9 * outline)
        width_here = max(rim * ratio, 0.7)
        edge = torch.exp(-((distance / width_here) ** 2)) * (0.6 + 0.4 * paper)
        # The tide leaves a gentle slope inside the rim.
        edge = torch.maximum(
            edge, torch.where(distance < 0, 0.45 * torch.exp(distance / (5 * width_here)), 0.0)
        )
        ring = torch.maximum(ring, edge)
        wet = torch.sigmoid(-distance / width_here) * (0.5 + 0.5 * paper)
        inside = torch.maximum(inside, wet)
    return [
        (_enlarge(inside, height, width) * (darken / 3), torch.tensor([0.62, 0.50, 0.33])),
        (_enlarge(ring, height, width) * darken, torch.tensor([0.30, 0.20, 0.10])),
    ]


def _working_size(height: int, width: int) -> tuple[int, int]:
    ratio = min(_FINEST / min(height, width), 1.0)
    return max(round(height * ratio), 1), max(round(width * ratio), 1)


def _enlarge(plane: Tensor, height: int, width: int) -> Tensor:
    if plane.shape == (height, width):
        return plane
    return F.interpolate(plane[None, None], size=(height, width), mode="bilinear", align_corners=False)[0, 0]


# Shares and opacities: [ours], colours of the mildew as foxing has them.
MILDEW = Degradation(
    "mildew",
    partial(paint, layers=mildew_layers),
    {
        "cover": Knob(
            "share of the picture under the blobs",
            span=(0.03, 0.15),
            legal=(0.0, 1.0),
            levels={224: (0.02, 0.05, 0.08, 0.12, 0.18)},
        ),
        "opacity": Knob(
            "opacity in the middle",
            span=(0.3, 0.8),
            legal=(0.0, 1.0),
            levels={224: (0.45, 0.55, 0.65, 0.75, 0.85)},
        ),
    },
)
WATER_STAIN = Degradation(
    "water-stain",
    partial(paint, layers=water_stain_layers),
    {
        "count": Knob("how many", span=(1, 3), legal=(0, 40), levels={224: (1, 1, 2, 2, 3)}, whole=True),
        "rim": Knob(
            "width of the rim, pixels",
            span=(0.9, 3.5),
            legal=(0.01, 400.0),
            levels={224: (1.2, 1.5, 1.8, 2.2, 2.6)},
            is_length=True,
        ),
        "darken": Knob(
            "opacity of the rim",
            span=(0.2, 0.75),
            legal=(0.0, 1.0),
            levels={224: (0.3, 0.4, 0.5, 0.62, 0.75)},
        ),
    },
)
