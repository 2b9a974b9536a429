"""Rain as it is photographed: streaks of one direction in many looks, near drops, splashes on the ground.

Encoded values are mixed, as in the deraining literature: what cameras and editors make of light is not known, so the
blends are varied instead (additive, screen, alpha).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import uniforms
from restore.degradations.knob import Knob
from restore.degradations.stamps import disc_shape, line_shape, normal_plane, scattered, smooth_plane

BLENDS = ("add", "screen", "alpha")
SOURCES = ("lines", "noise")
_GROUPS = 4  # of streaks that differ in direction and length
Mask = Callable[..., np.ndarray]


def rain_streaks(x: Tensor, *, seed: Tensor, **knobs: Any) -> Tensor:
    """Streaks over ``B x C x H x W``, not clipped.

    Args:
        coverage: B shares of the picture that streaks cover, counted each alone.
        length, width: B mean lengths and widths, pixels.
        angle, spread: B slants from the vertical and their spread to both sides, degrees.
        opacity: B opacities of the strongest.
        light: B brightnesses of the drops.
        blur: B standard deviations by which the streaks are out of focus, pixels.
        patchiness: B shares by which the rain thins out in places.
        source: B names: "lines" are drawn, "noise" is smeared along the direction and cut at its quantile.
        blend: B names: "add" c + a l, "screen" c + a l (1 - c), "alpha" c + a (l - c).
    """
    return lay_over(x, seed, _streak_mask, knobs)


def rain_splashes(x: Tensor, *, seed: Tensor, **knobs: Any) -> Tensor:
    """Drops that burst on the ground: specks and flat rings below a horizon, over ``B x C x H x W``.

    Args:
        coverage: B shares of the ground that they cover.
        radius: B mean radii of a ring, pixels.
        horizon: B places of the horizon, 0 at the top, 1 at the bottom.
        opacity, light, blend: as for :func:`rain_streaks`.
    """
    return lay_over(x, seed, _splash_mask, knobs)


def lay_over(x: Tensor, seed: Tensor, mask: Mask, knobs: dict[str, Any]) -> Tensor:
    """``mask(seed, (height, width), **knobs)`` times the opacity in its brightness, blended into every sample."""
    columns = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in knobs.items()}
    made = []
    for i, (part, s) in enumerate(zip(x.split(1), seed.tolist(), strict=True)):
        k = {name: column[i] for name, column in columns.items()}
        opacity, light, kind = k.pop("opacity"), k.pop("light"), k.pop("blend")
        a = torch.from_numpy(mask(s, tuple(part.shape[-2:]), **k)).to(part) * opacity
        made.append(blended(part, a, light, kind))
    return torch.cat(made)


def blended(x: Tensor, a: Tensor, light: float | Tensor, kind: str) -> Tensor:
    """A layer of the opacity ``a`` and the colour ``light`` over ``x``; kinds as for :func:`rain_streaks`."""
    if kind == "add":
        return x + a * light
    return x + a * light * (1 - x) if kind == "screen" else x + a * (light - x)


def _streak_mask(
    seed: int, size: tuple[int, int], *, coverage: float, length: float, width: float, angle: float,
    spread: float, blur: float, patchiness: float, source: str,
) -> np.ndarray:  # fmt: skip
    length = min(length, 2.0 * max(size))
    u = uniforms(draw.child_seed(seed, "groups"), 2 * _GROUPS).numpy()
    if source == "noise":
        mask = _smeared(seed, *size, coverage, line_shape(length, width, angle))
    else:
        shapes = [
            line_shape(length * (0.6 + 0.8 * a), width, angle + spread * (2 * b - 1))
            for a, b in u.reshape(-1, 2)
        ]
        mask = -np.expm1(-1.5 * scattered(seed, *size, coverage=coverage, shapes=shapes, fade=0.75))
    if blur >= 0.3:
        mask = cv2.GaussianBlur(mask, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    if patchiness:
        mask = mask * (1 - patchiness * smooth_plane(draw.child_seed(seed, "patches"), *size, cells=2))
    return mask.astype(np.float32)


def _smeared(seed: int, height: int, width: int, coverage: float, shape: np.ndarray) -> np.ndarray:
    """Normal noise filtered with a line, cut where ``coverage`` of it lies above, and scaled to the rest's reach."""
    frame = max(shape.shape) // 2
    field = normal_plane(draw.child_seed(seed, "smeared"), height + 2 * frame, width + 2 * frame)
    made = cv2.filter2D(field, cv2.CV_32F, shape / np.sqrt((shape**2).sum()))
    made = made[frame : frame + height, frame : frame + width]
    least = math.sqrt(2) * float(torch.erfinv(torch.tensor(1 - 2 * min(max(coverage, 1e-4), 0.99))))
    return np.clip((made - least) / 1.2, 0, 1)


def _splash_mask(
    seed: int, size: tuple[int, int], *, coverage: float, radius: float, horizon: float
) -> np.ndarray:
    shapes = [
        disc_shape(radius, soft=1.0, ring=0.9, flat=0.4),
        disc_shape(0.35 * radius, soft=1.0),
        line_shape(1.4 * radius, max(0.3 * radius, 0.7), 35),
        line_shape(1.4 * radius, max(0.3 * radius, 0.7), -35),
    ]
    made = scattered(draw.child_seed(seed, "splash"), *size, coverage=coverage, shapes=shapes, fade=0.8)
    down = ((np.arange(size[0], dtype=np.float32) + 0.5) / size[0] - horizon) / 0.15
    return (-np.expm1(-1.5 * made) * np.clip(down, 0, 1)[:, None]).astype(np.float32)


OPACITY = Knob(
    "opacity of the strongest", span=(0.15, 0.9), legal=(0.0, 1.0), levels={224: (0.25, 0.35, 0.5, 0.65, 0.8)}
)
BLEND = Knob("how the layer is put over the scene", choices=BLENDS, default="add|screen|alpha")
ANGLE = Knob("slant from the vertical, degrees", span=(-40.0, 40.0), legal=(-90.0, 90.0))
# Lengths and widths as counted in photographs of some 500 pixels; shares and opacities [ours].
RAIN_STREAKS = Degradation(
    "rain-streaks",
    rain_streaks,
    {
        "coverage": Knob(
            "share covered by streaks",
            span=(0.03, 0.35),
            legal=(0.0, 10.0),
            levels={224: (0.06, 0.12, 0.2, 0.3, 0.42)},
        ),
        "length": Knob(
            "mean length of a streak, pixels",
            span=(6.0, 50.0),
            legal=(0.0, 2000.0),
            levels={32: (5, 6, 7, 8, 9), 224: (14, 17, 21, 25, 30)},
            is_length=True,
        ),
        "width": Knob(
            "mean width of a streak, pixels",
            span=(0.6, 2.5),
            legal=(0.05, 200.0),
            levels={32: (0.6, 0.65, 0.7, 0.75, 0.8), 224: (0.9, 1.0, 1.1, 1.25, 1.4)},
            is_length=True,
        ),
        "angle": ANGLE,
        "spread": Knob("to both sides of it, degrees", span=(0.0, 6.0), legal=(0.0, 90.0)),
        "opacity": OPACITY,
        "light": Knob("brightness of the drops", span=(0.75, 1.0), legal=(0.0, 2.0)),
        "blur": Knob("out of focus by, pixels", legal=(0.0, 100.0), default=0.0),
        "patchiness": Knob("share by which it thins out in places", legal=(0.0, 1.0), default=0.0),
        "source": Knob("drawn lines or smeared noise", choices=SOURCES, default="lines|noise"),
        "blend": BLEND,
    },
)
RAIN_SPLASHES = Degradation(
    "rain-splashes",
    rain_splashes,
    {
        "coverage": Knob(
            "share of the ground covered",
            span=(0.02, 0.15),
            legal=(0.0, 10.0),
            levels={224: (0.03, 0.06, 0.1, 0.15, 0.22)},
        ),
        "radius": Knob(
            "mean radius of a ring, pixels",
            span=(1.5, 5.0),
            legal=(0.1, 200.0),
            levels={32: (0.8, 0.9, 1.0, 1.1, 1.2), 224: (2, 2.2, 2.5, 2.8, 3.2)},
            is_length=True,
        ),
        "horizon": Knob("place of the horizon, 0 at the top", span=(0.3, 0.75), legal=(-1.0, 1.0)),
        "opacity": OPACITY,
        "light": Knob("brightness of the water", span=(0.75, 1.0), legal=(0.0, 2.0)),
        "blend": BLEND,
    },
)
TABLE = {d.name: d for d in (RAIN_STREAKS, RAIN_SPLASHES)}
