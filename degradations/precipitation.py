"""Rain and snow in the air, over the veil that many distant drops and flakes make.

A falling drop or flake covers a pixel for a part of the exposure: light mixes linearly, B (1 - a) + E a, with
the drops' own light E (Garg & Nayar 2007; with E = 1 the "screen" of the deraining literature). Streaks and
flakes come in three sizes, near to far. Lengths are meant for the picture as it is viewed: they grow with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.degradations import colour
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.depth import DEPTH, Depth, depths, with_depth
from restore.degradations.fields import splat, uniforms
from restore.degradations.haze import transmission
from restore.degradations.knob import Knob
from restore.degradations.medium import Fall, Shape, colour_of, join, scatter
from restore.degradations.params import Params
from restore.errors import RestoreError

MODES = ("screen", "add")
# Per layer, near to far: scale of lengths and widths, share of the covered area, opacity over the knob's.
_STREAKS = ((1.7, 0.2, 0.8), (1.0, 0.4, 1.0), (0.55, 0.4, 0.8))
_FLAKES = ((2.6, 0.3, 0.75), (1.0, 0.4, 1.0), (0.45, 0.3, 0.9))


def rain(x: Tensor, *, seed: Tensor, depth: Depth = None, **knobs: Any) -> Tensor:
    """Streaks of three sizes and a veil over ``B x C x H x W``, not clipped.

    Args:
        coverage: B shares of the picture that streaks cover, counted each alone.
        length, width: B lengths and widths of the middle layer's streaks, pixels.
        angle: B slants in degrees from the vertical, positive falling to the right.
        opacity: B opacities of a streak.
        light: B brightnesses of the drops as seen.
        beta, airlight: B optical depths of the veil at the farthest point, and its brightness as seen.
        mode: B names, "screen" or "add".
        space: B names, where light is mixed.
        depth: ``B x 1 x H x W`` from 0 to 1, or B names of files; None: drawn from the seed.
    """
    rows = _falls(x.shape, seed, depth, knobs, _rain_mask)
    return torch.cat([f.compose(part) for part, f in zip(x.split(1), rows, strict=True)])


def snow(x: Tensor, *, seed: Tensor, depth: Depth = None, **knobs: Any) -> Tensor:
    """Flakes of three sizes and a veil; the near flakes are large and out of focus.

    Args:
        coverage: B shares of the picture that flakes cover, counted each alone.
        radius: B radii of the middle layer's flakes, pixels.
        length: B lengths that the middle flakes fall during the exposure, pixels.
        angle, opacity, light, beta, airlight, mode, space, depth: as for :func:`rain`.
    """
    rows = _falls(x.shape, seed, depth, knobs, _snow_mask)
    return torch.cat([f.compose(part) for part, f in zip(x.split(1), rows, strict=True)])


def maps(shape: Shape, params: Params, *, depth: Depth = None) -> Fall:
    """Masks and veil that recorded parameters of rain or snow stand for (``strength`` 1).

    Raises:
        RestoreError: parameters of something else.
    """
    masks = {"rain": _rain_mask, "snow": _snow_mask}
    if params.name not in masks:
        raise RestoreError(f"expected parameters of rain or snow, got {params.name!r}")
    values = with_depth(params.values, depth)
    made = list(_falls(shape, params.seeds, values["depth"], values, masks[params.name]))
    return Fall(
        torch.cat([f.mask for f in made]),
        torch.cat([f.light for f in made]),
        join([f.veil for f in made]),
        [f.mode[0] for f in made],
    )


def _falls(shape: Shape, seed: Tensor, depth: Depth, knobs: dict[str, Any], mask: Any) -> Iterator[Fall]:
    columns = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in knobs.items() if k != "depth"}
    planes = depths(seed, shape, depth)
    for i, (s, d) in enumerate(zip(seed.tolist(), planes, strict=True)):
        k = {name: column[i] for name, column in columns.items()}
        space, air = k["space"], k["airlight"]
        veil = scatter(
            transmission(d, seed=s, beta=k["beta"]), colour_of((air, air, air), shape[1], space), space
        )
        thick = sum(mask(s, *shape[-2:], layer, k) for layer in range(3))
        covered = torch.from_numpy(-np.expm1(-thick)).float()[None, None]
        yield Fall(covered, colour_of((k["light"],) * 3, shape[1], space), veil, [k["mode"]])


def _rain_mask(seed: int, height: int, width: int, layer: int, k: dict[str, Any]) -> np.ndarray:
    """One layer's optical thickness: each streak a slanted line with soft ends, splatted point by point."""
    scale, share, opacity = _STREAKS[layer]
    length, wide = max(k["length"] * scale, 1.0), k["width"] * scale
    margin = length / 2 + 1
    area = (height + 2 * margin) * (width + 2 * margin)
    u = _draws(seed, "rain", layer, share * k["coverage"] * area / (length * max(wide, 0.3)), 5)
    y, x = u[0] * (height + 2 * margin) - margin, u[1] * (width + 2 * margin) - margin
    slant = np.radians(k["angle"] + 4 * (u[2] - 0.5))
    long = length * (0.6 + 0.8 * u[3])
    peak = np.minimum(opacity * k["opacity"] * (0.4 + 0.6 * u[4]), 0.95)
    steps = math.ceil(1.4 * length / 0.8)
    rows = max(math.ceil(wide / 0.8), 1)
    along = ((np.arange(steps) + 0.5) / steps - 0.5)[:, None, None]
    across = (((np.arange(rows) + 0.5) / rows - 0.5) * max(wide - 0.5, 0.0))[None, :, None]
    # A point stands for its stretch of the line and its part of the width.
    weight = -np.log1p(-peak) * long / steps * (wide / rows) * np.sqrt(np.cos(np.pi * along))
    py = y + long * along * np.cos(slant) - across * np.sin(slant)
    px = x + long * along * np.sin(slant) + across * np.cos(slant)
    weight = np.broadcast_to(weight, py.shape)
    return splat(py.ravel(), px.ravel(), weight.ravel(), height, width)


def _snow_mask(seed: int, height: int, width: int, layer: int, k: dict[str, Any]) -> np.ndarray:
    """One layer's optical thickness: soft, slightly uneven discs drawn out along their fall."""
    scale, share, opacity = _FLAKES[layer]
    true = max(k["radius"] * scale, 0.05)
    radius, fade = max(true, 0.6), min(true / 0.6, 1.0) ** 2  # flakes below a pixel are fainter, not smaller
    fall = k["length"] * scale
    margin = 1.5 * radius + fall / 2 + 1
    area = (height + 2 * margin) * (width + 2 * margin)
    u = _draws(seed, "snow", layer, share * k["coverage"] * area / (math.pi * true**2), 7)
    size = radius * (0.7 + 0.6 * u[2])
    slant = np.radians(k["angle"] + 30 * (u[3] - 0.5))
    half = 0.5 * fall * (0.5 + u[4])
    peak = np.minimum(opacity * fade * k["opacity"] * (0.5 + 0.5 * u[5]), 0.98)
    # Near flakes are out of focus: their edge is as wide as half their radius.
    soft = np.maximum((0.55 if layer == 0 else 0.35) * size, 0.5)
    reach = math.ceil(margin)
    side = np.arange(-reach, reach + 1)
    y, x = u[0] * (height + 2 * margin) - margin, u[1] * (width + 2 * margin) - margin
    row, column = np.round(y), np.round(x)
    total = np.zeros(height * width)
    step = max((1 << 18) // len(side) ** 2, 1)
    for start in range(0, len(y), step):
        part = slice(start, start + step)
        pick = (part, None, None)
        oy, ox = side[:, None] - (y - row)[pick], side[None, :] - (x - column)[pick]
        s, c = np.sin(slant)[pick], np.cos(slant)[pick]
        along, across = oy * c + ox * s, ox * c - oy * s
        along = np.sign(along) * np.maximum(np.abs(along) - half[pick], 0)
        uneven = 1 + 0.2 * np.cos(3 * np.arctan2(across, along) + 6.3 * u[6][pick])
        inside = np.clip(0.5 + (size[pick] * uneven - np.hypot(along, across)) / (2 * soft[pick]), 0, 1)
        thick = -np.log1p(-peak[pick] * inside**2 * (3 - 2 * inside))
        rows, columns = row[pick] + side[:, None], column[pick] + side[None, :]
        seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width) & (inside > 0)
        place = (rows * width + columns)[seen].astype(np.int64)
        total += np.bincount(place, weights=thick[seen], minlength=height * width)
    return total.reshape(height, width)


def _draws(seed: int, kind: str, layer: int, expected: float, rows: int) -> list[np.ndarray]:
    """``rows`` columns of U(0, 1) for about ``expected`` things; more of them begin with the fewer."""
    path = draw.child_seed(seed, kind, layer)
    count = math.floor(expected + float(uniforms(draw.child_seed(path, "count"), 1)))
    return [uniforms(draw.child_seed(path, i), count).numpy() for i in range(rows)]


def _share(text: str, *row: float) -> Knob:
    return Knob(text, span=(row[0], row[-1]), legal=(0.0, 10.0), levels={224: row})  # type: ignore[dict-item]


_ANGLE = Knob("slant from the vertical, degrees", span=(-35.0, 35.0), legal=(-90.0, 90.0))
_MODE = Knob("how layers are put over the scene", choices=MODES, default="screen")
_SPACE = Knob("where light is mixed: encoded values or linear light", choices=colour.SPACES, default="linear")
_AIRLIGHT = Knob("brightness of the veil as seen", span=(0.55, 0.8), legal=(0.0, 2.0))

# Published synthetic rain: streaks of 25 to 55 px at densities of 0.002 to 0.010 in pictures of some 480 px.
RAIN = Degradation(
    "rain",
    rain,
    {
        "coverage": _share("share covered by streaks", 0.08, 0.16, 0.26, 0.38, 0.55),
        "length": Knob(
            "length of a streak, pixels",
            span=(10.0, 30.0),
            legal=(0.0, 2000.0),
            levels={32: (3, 3.5, 4, 4.5, 5), 224: (12, 15, 18, 22, 26)},
            is_length=True,
        ),
        "width": Knob(
            "width of a streak, pixels",
            span=(0.7, 1.6),
            legal=(0.0, 100.0),
            levels={32: (0.5, 0.52, 0.55, 0.6, 0.65), 224: (0.8, 0.9, 1.0, 1.1, 1.25)},
            is_length=True,
        ),
        "angle": _ANGLE,
        "opacity": _share("opacity of a streak", 0.25, 0.32, 0.4, 0.48, 0.56),
        "light": Knob("brightness of the drops as seen", span=(0.85, 1.0), legal=(0.0, 2.0)),
        "beta": _share("optical depth of the veil at the farthest point", 0.1, 0.25, 0.45, 0.7, 1.1),
        "airlight": _AIRLIGHT,
        "mode": _MODE,
        "space": _SPACE,
        "depth": DEPTH,
    },
)
SNOW = Degradation(
    "snow",
    snow,
    {
        "coverage": _share("share covered by flakes", 0.03, 0.06, 0.1, 0.15, 0.22),
        "radius": Knob(
            "radius of a flake, pixels",
            span=(0.8, 2.0),
            legal=(0.0, 200.0),
            levels={32: (0.45, 0.5, 0.55, 0.6, 0.7), 224: (1.0, 1.1, 1.25, 1.4, 1.6)},
            is_length=True,
        ),
        "length": Knob(
            "way fallen during the exposure, pixels",
            span=(0.0, 4.0),
            legal=(0.0, 500.0),
            levels={32: (0.2, 0.3, 0.4, 0.5, 0.6), 224: (0.8, 1.2, 1.7, 2.3, 3.0)},
            is_length=True,
        ),
        "angle": _ANGLE,
        "opacity": _share("opacity of a flake", 0.7, 0.75, 0.8, 0.86, 0.92),
        "light": Knob("brightness of the flakes as seen", span=(0.92, 1.0), legal=(0.0, 2.0)),
        "beta": _share("optical depth of the veil at the farthest point", 0.1, 0.25, 0.45, 0.75, 1.2),
        "airlight": Knob("brightness of the veil as seen", span=(0.7, 0.88), legal=(0.0, 2.0)),
        "mode": _MODE,
        "space": _SPACE,
        "depth": DEPTH,
    },
)
