"""Snow as it is photographed: flakes of every size, sharp or out of focus, drawn out where the shutter was slow."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import uniforms
from restore.degradations.knob import Knob
from restore.degradations.stamps import disc_shape, line_shape, scattered, smooth_plane
from restore.degradations.streaks import ANGLE, BLEND, lay_over

_SIZES = 4  # of flakes in one picture


def snow_flakes(x: Tensor, *, seed: Tensor, **knobs: Any) -> Tensor:
    """Flakes over ``B x C x H x W``, not clipped.

    Args:
        coverage: B shares of the picture that flakes cover, counted each alone.
        radius: B mean radii, pixels; those in one picture are from 0.5 to 1.6 of it.
        softness: B widths of the flakes' edge over their radius; 2 and more: out of focus.
        ring: B amounts by which their middle is paler, in [0, 1] (highlights out of focus).
        length: B ways fallen during the exposure, pixels.
        angle: B slants of that from the vertical, degrees.
        patchiness: B shares by which the snow thins out in places.
        opacity, light, blend: as for :func:`restore.degradations.streaks.rain_streaks`.
    """
    return lay_over(x, seed, _flake_mask, knobs)


def _flake_mask(
    seed: int, size: tuple[int, int], *, coverage: float, radius: float, softness: float, ring: float,
    length: float, angle: float, patchiness: float,
) -> np.ndarray:  # fmt: skip
    u = uniforms(draw.child_seed(seed, "flakes"), 3 * _SIZES).numpy().reshape(-1, 3)
    shapes = []
    for i, (a, b, c) in enumerate(u):
        r = radius * (0.5 + 1.1 * (i + a) / _SIZES)
        shape = disc_shape(r, soft=softness * r, ring=ring, flat=0.75 + 0.5 * b)
        if length >= 1:
            way = line_shape(length * (0.5 + c), 1.0, angle + 20 * (b - 0.5), taper=0.2)
            reach = way.shape[0] // 2, way.shape[1] // 2
            shape = np.pad(shape, [(n, n) for n in reach])
            shape = cv2.filter2D(shape, cv2.CV_32F, way, borderType=cv2.BORDER_CONSTANT)
            shape = shape / max(float(shape.max()), 1e-6)
        shapes.append(shape)
    mask = -np.expm1(-2.0 * scattered(seed, *size, coverage=coverage, shapes=shapes, fade=0.6))
    if patchiness:
        mask *= 1 - patchiness * smooth_plane(draw.child_seed(seed, "patches"), *size, cells=2)
    return mask.astype(np.float32)


# Ranges and severities: [ours].
SNOW_FLAKES = Degradation(
    "snow-flakes",
    snow_flakes,
    {
        "coverage": Knob(
            "share covered by flakes",
            span=(0.01, 0.14),
            legal=(0.0, 10.0),
            levels={224: (0.03, 0.06, 0.1, 0.16, 0.24)},
        ),
        "radius": Knob(
            "mean radius, pixels",
            span=(0.7, 4.0),
            legal=(0.05, 500.0),
            levels={32: (0.7, 0.75, 0.8, 0.85, 0.9), 224: (1.2, 1.4, 1.6, 1.9, 2.3)},
            is_length=True,
        ),
        "softness": Knob("width of the edge over the radius", span=(0.5, 1.6), legal=(0.0, 10.0)),
        "ring": Knob("how much paler the middle is", legal=(0.0, 1.0), default=0.0),
        "length": Knob("way fallen during the exposure, pixels", legal=(0.0, 1000.0), default=0.0),
        "angle": ANGLE,
        "patchiness": Knob("share by which it thins out in places", legal=(0.0, 1.0), default=0.0),
        "opacity": Knob(
            "opacity of the strongest",
            span=(0.3, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.5, 0.6, 0.75, 0.85, 0.95)},
        ),
        "light": Knob("brightness of the flakes", span=(0.8, 1.0), legal=(0.0, 2.0)),
        "blend": BLEND,
    },
)
TABLE = {d.name: d for d in (SNOW_FLAKES,)}
