"""Raindrops on a pane of glass: many small lenses, sharp or out of focus, some run down.

Each drop shows the scene upside down and smaller, under a dark rim and with a bright spot (Garg & Nayar 2007 for the
optics). Drops come in a few sizes per picture, scattered by :mod:`restore.degradations.stamps`: what a drop shows at a
place is looked up from that place's offset to its middle, which is scattered in the same way.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import uniforms
from restore.degradations.haze import each
from restore.degradations.knob import Knob
from restore.degradations.medium import Shape
from restore.degradations.params import Params
from restore.degradations.processing import blurred
from restore.degradations.stamps import stamped, uniform_plane
from restore.errors import RestoreError

_SIZES = 4  # of drops in a picture, the last one runs down


def glass_drops(
    x: Tensor, *, seed: Tensor, coverage: Tensor, radius: Tensor, focus: Tensor, bend: Tensor, rim: Tensor,
    spot: Tensor, runs: Tensor, opacity: Tensor,
) -> Tensor:  # fmt: skip
    """Drops over ``B x C x H x W``, not clipped.

    Args:
        coverage: B shares of the picture under drops, counted each alone.
        radius: B mean radii, pixels.
        focus: B standard deviations by which the drops are out of focus, over their radius; 0: sharp.
        bend: B factors, how far beyond its own size a drop looks.
        rim: B darkenings at the upper edge, in [0, 1].
        spot: B brightnesses of the spot that the sky makes at the lower edge.
        runs: B shares of the drops that run down.
        opacity: B opacities, in [0, 1].
    """
    made = []
    columns = each(seed, coverage, radius, focus, bend, rim, spot, runs, opacity)
    for part, (s, share, r, soft, far, dark, light, run, strong) in zip(x.split(1), columns, strict=True):
        mask, dy, dx, shade = (
            torch.from_numpy(p).to(part) for p in _lenses(s, part.shape[-2:], share, r, soft, run)
        )
        h, w = part.shape[-2:]
        v, u = torch.arange(h).to(part)[:, None], torch.arange(w).to(part)[None]
        # Upside down: a place above the middle shows what lies far below it.
        grid = torch.stack([(u - far * dx + 0.5) * 2 / w - 1, (v - far * dy + 0.5) * 2 / h - 1], -1)[None]
        scene = blurred(part, 0.35 * r)
        seen = F.grid_sample(scene, grid, padding_mode="reflection", align_corners=False)
        seen = seen * (1 - dark * shade.clamp(min=0)) + light * (-shade).clamp(min=0) * (1 - seen)
        made.append(part + strong * mask * (seen - part))
    return torch.cat(made)


def maps(shape: Shape, params: Params) -> Tensor:
    """Opacity of the drops, ``B x 1 x H x W`` in [0, 1], that recorded parameters stand for.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "glass-drops":
        raise RestoreError(f"expected parameters of glass-drops, got {params.name!r}")
    v = params.values
    rows = each(params.seeds, v["coverage"], v["radius"], v["focus"], v["runs"], v["opacity"])
    made = [
        strong * _lenses(s, shape[-2:], share, r, soft, run)[0] for s, share, r, soft, run, strong in rows
    ]
    return torch.from_numpy(np.stack(made).astype(np.float32))[:, None]


def _lenses(
    seed: int, size: Shape, coverage: float, radius: float, focus: float, runs: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Opacity, offsets from the drops' middles (down, right) in pixels, and shade: rim above, spot (negative) below."""
    height, width = size
    total = np.zeros((4, height, width), np.float32)
    u = uniforms(draw.child_seed(seed, "sizes"), 3 * _SIZES).numpy().reshape(-1, 3)
    for i, (a, b, c) in enumerate(u):
        falls = i == _SIZES - 1
        share = coverage * (runs if falls else (1 - runs) / (_SIZES - 1))
        if share <= 0:
            continue
        r = max(radius * (0.4 + 1.3 * (i + a) / _SIZES if not falls else 0.7), 0.6)
        shapes = _drop_shapes(r, r * (4 + 8 * b if falls else 0.9 + 0.4 * b), c)
        total += _placed(draw.child_seed(seed, "place", i), height, width, share, shapes)
    weight = np.maximum(total[0], 1e-6)
    mask = np.minimum(total[0], 1.0)
    if focus * radius >= 0.3:
        mask = cv2.GaussianBlur(mask, (0, 0), focus * radius, borderType=cv2.BORDER_REFLECT)
    return mask, total[1] / weight, total[2] / weight, total[3] / weight


def _drop_shapes(across: float, down: float, uneven: float) -> list[np.ndarray]:
    """Opacity, the two offsets and the shade of one drop, the last three weighed by the opacity."""
    ry, rx = math.ceil(down * 1.2) + 1, math.ceil(across * 1.2) + 1
    y, x = np.mgrid[-ry : ry + 1, -rx : rx + 1].astype(np.float32)
    lobed = 1 + 0.1 * np.cos(3 * np.arctan2(y / down, x / across) + 6.3 * uneven)
    rho = np.hypot(y / down, x / across) / lobed
    edge = max(0.15, 0.8 / min(across, down))
    inside = np.clip((1 - rho) / edge + 0.5, 0, 1)
    above = np.clip(0.4 - 0.8 * y / down, 0, 1.2)
    spot = np.exp(-((y / down - 0.45) ** 2 + (x / across + 0.2) ** 2) / 0.09)
    shade = above * np.clip(rho, 0, 1) ** 3 - spot
    dy = np.clip(y, -2 * across, 2 * across)  # long runs look aside, hardly along themselves
    return [p.astype(np.float32) for p in (inside, inside * dy, inside * x, inside * shade)]


def _placed(seed: int, height: int, width: int, share: float, shapes: list[np.ndarray]) -> np.ndarray:
    """The shapes at the same random places, ``4 x H x W``."""
    frame = max(*(n // 2 for n in shapes[0].shape), min(height, width) // 4)
    h, w = height + 2 * frame, width + 2 * frame
    points = (uniform_plane(seed, h, w) < share / float(shapes[0].sum())).astype(np.float32)
    if not points.any():
        return np.zeros((4, height, width), np.float32)
    made = stamped(points, shapes)
    made[0][made[0] < 1e-4] = 0
    return np.stack([m[frame : frame + height, frame : frame + width] for m in made])


# Ranges: [ours].
GLASS_DROPS = Degradation(
    "glass-drops",
    glass_drops,
    {
        "coverage": Knob(
            "share of the picture under drops",
            span=(0.05, 0.4),
            legal=(0.0, 5.0),
            levels={224: (0.08, 0.14, 0.22, 0.32, 0.45)},
        ),
        "radius": Knob(
            "mean radius of a drop, pixels",
            span=(2.0, 12.0),
            legal=(0.3, 1000.0),
            levels={32: (1.6, 1.7, 1.8, 1.9, 2.0), 224: (4.0, 4.5, 5.0, 5.5, 6.0)},
            is_length=True,
        ),
        "focus": Knob("out of focus by, over the radius", span=(0.0, 0.5), legal=(0.0, 5.0)),
        "bend": Knob("how far beyond its own size a drop looks", span=(1.5, 5.0), legal=(0.0, 20.0)),
        "rim": Knob("darkening at the upper edge", span=(0.1, 0.7), legal=(0.0, 1.0)),
        "spot": Knob("brightness of the spot below", span=(0.0, 0.8), legal=(0.0, 1.0)),
        "runs": Knob("share of the drops that run down", legal=(0.0, 1.0), default=0.0),
        "opacity": Knob(
            "opacity of a drop", span=(0.6, 1.0), legal=(0.0, 1.0), levels={224: (0.6, 0.7, 0.8, 0.9, 1.0)}
        ),
    },
)
TABLE = {d.name: d for d in (GLASS_DROPS,)}
