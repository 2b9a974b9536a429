"""Watermarks: lettering and emblems over the picture, drawn from strokes, so that no system font is needed."""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np
import torch

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.overlay import Layer, paint, rows_of

CONTENTS = ("text", "logo")
LAYOUTS = ("single", "tiled")
COLOURS = ("white", "black", "coloured")

# Hershey's stroke fonts, which OpenCV carries.
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
_SYLLABLES = (
    "ka", "mo", "ri", "sta", "len", "do", "pix", "ver", "al", "no", "tu", "fo", "gra", "lux", "ar", "bel", "cor", "da",
    "es", "min", "ra", "so", "vi", "ter",
)  # fmt: skip
_WORDS = (
    "SAMPLE",
    "PREVIEW",
    "PROOF",
    "COPY",
    "(c) 2019",
    "www.{}.com",
    "{} photo",
    "{} images",
    "{}",
    "@{}",
)
_EMBLEM = 240  # side of the field a stamp is drawn on


def watermark_layers(
    seed: int,
    height: int,
    width: int,
    *,
    opacity: float,
    size: float,
    content: str,
    layout: str,
    colour: str,
    tilt: float,
) -> list[Layer]:
    """One layer: a stamp of text or an emblem, once or tiled, turned by an angle from the seed.

    Args:
        opacity: of the mark.
        size: width of the stamp as a share of the picture's width (tiled: of a third of that).
        content: "text" or "logo"; layout: "single" or "tiled"; colour: "white", "black" or "coloured".
        tilt: the largest angle in degrees, to either side.
    """
    u = rows_of(draw.child_seed(seed, "watermark"), 1, 12)[0]
    stamp = _text(u, draw.child_seed(seed, "words")) if content == "text" else _emblem(u)
    scale = max(size * width / stamp.shape[1], 1e-3) * (0.5 if layout == "tiled" else 1.0)
    angle = tilt * (2 * u[1] - 1)
    plane = (
        _tiled(stamp, scale, angle, height, width)
        if layout == "tiled"
        else _placed(stamp, scale, angle, height, width, (0.5 + 0.5 * (u[2] - 0.5), 0.5 + 0.7 * (u[3] - 0.5)))
    )
    rgb = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "coloured": tuple(u[4:7].tolist())}[colour]
    return [(torch.from_numpy(plane) * opacity, torch.tensor(rgb, dtype=torch.float32))]


def _text(u: np.ndarray, seed: int) -> np.ndarray:
    """Lettering on a plane that just holds it, [0, 1]."""
    picks = rows_of(seed, 1, 6)[0]
    name = "".join(_SYLLABLES[int(p * len(_SYLLABLES))] for p in picks[: 2 + int(2 * picks[4])])
    text = _WORDS[int(picks[5] * len(_WORDS))].format(name)
    if u[7] < 0.3:
        text = text.upper()
    elif u[7] < 0.6:
        text = text.capitalize()
    font, thick = _FONTS[int(u[8] * len(_FONTS))], 2 + int(3 * u[9])
    (wide, high), below = cv2.getTextSize(text, font, 2.5, thick)
    plane = np.zeros((high + below + 4 * thick, wide + 4 * thick), np.uint8)
    cv2.putText(plane, text, (2 * thick, high + 2 * thick), font, 2.5, 255, thick, cv2.LINE_AA)
    return plane.astype(np.float32) / 255


def _emblem(u: np.ndarray) -> np.ndarray:
    """A ring with a star, a shutter, bars or a letter in it, [0, 1]."""
    side, middle = _EMBLEM, _EMBLEM // 2
    plane = np.zeros((side, side), np.uint8)
    thick = 6 + int(8 * u[9])
    cv2.circle(plane, (middle, middle), middle - thick, 255, thick, cv2.LINE_AA)
    kind = int(u[8] * 4)
    reach = 0.62 * middle
    if kind == 0:
        points = 5 + int(3 * u[10])
        turns = math.pi * np.arange(2 * points) / points - math.pi / 2
        radii = np.where(np.arange(2 * points) % 2 == 0, reach, reach * (0.35 + 0.25 * u[11]))
        corners = middle + np.stack([radii * np.cos(turns), radii * np.sin(turns)], 1)
        cv2.fillPoly(plane, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
    elif kind == 1:
        blades = 6 + int(3 * u[10])
        for k in range(blades):
            a, b = 2 * math.pi * k / blades, 2 * math.pi * (k + 1.7) / blades
            start = (round(middle + reach * 1.25 * math.cos(a)), round(middle + reach * 1.25 * math.sin(a)))
            end = (round(middle + reach * 0.45 * math.cos(b)), round(middle + reach * 0.45 * math.sin(b)))
            cv2.line(plane, start, end, 255, thick, cv2.LINE_AA)
    elif kind == 2:
        for k, part in enumerate(u[4:8]):
            left, tall = round(middle - reach + k * reach / 2), round(reach * (0.4 + 1.2 * part))
            low = round(middle + reach * 0.8)
            cv2.rectangle(plane, (left, low - tall), (left + round(reach / 3), low), 255, -1)
    else:
        letter = chr(ord("A") + int(u[10] * 26))
        (wide, high), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_TRIPLEX, 4.5, thick)
        place = (middle - wide // 2, middle + high // 2)
        cv2.putText(plane, letter, place, cv2.FONT_HERSHEY_TRIPLEX, 4.5, 255, thick, cv2.LINE_AA)
    return plane.astype(np.float32) / 255


def _placed(
    stamp: np.ndarray, scale: float, angle: float, height: int, width: int, at: tuple[float, float]
) -> np.ndarray:
    """The stamp once, its middle at a share of the picture's width and height."""
    if scale < 1:  # reduced by area first: warping alone would break thin strokes up
        size = (max(round(stamp.shape[1] * scale), 1), max(round(stamp.shape[0] * scale), 1))
        stamp, scale = cv2.resize(stamp, size, interpolation=cv2.INTER_AREA), 1.0
    middle = ((stamp.shape[1] - 1) / 2, (stamp.shape[0] - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, angle, scale)
    turn[:, 2] += np.array([at[0] * width - 0.5, at[1] * height - 0.5]) - middle
    return cv2.warpAffine(stamp, turn, (width, height), flags=cv2.INTER_LINEAR)


def _tiled(stamp: np.ndarray, scale: float, angle: float, height: int, width: int) -> np.ndarray:
    """The stamp in staggered rows all over, the whole pattern turned."""
    size = (max(round(stamp.shape[1] * scale), 1), max(round(stamp.shape[0] * scale), 1))
    small = cv2.resize(stamp, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    cell = np.pad(small, ((size[1] // 2 + 1,) * 2, (size[0] // 4 + 1,) * 2))
    reach = math.ceil(math.hypot(height, width)) + 2
    two = np.concatenate([cell, np.roll(cell, cell.shape[1] // 2, 1)], 0)
    times = (math.ceil(reach / two.shape[0]), math.ceil(reach / two.shape[1]))
    pattern = np.tile(two, times)[:reach, :reach]
    turn = cv2.getRotationMatrix2D(((reach - 1) / 2, (reach - 1) / 2), angle, 1.0)
    turn[:, 2] += np.array([(width - reach) / 2, (height - reach) / 2])
    return cv2.warpAffine(pattern, turn, (width, height), flags=cv2.INTER_LINEAR)


# Opacities, sizes, angles: [ours]; one in three is tiled.
WATERMARK = Degradation(
    "watermark",
    partial(paint, layers=watermark_layers),
    {
        "opacity": Knob(
            "opacity of the mark",
            span=(0.15, 0.7),
            legal=(0.0, 1.0),
            levels={224: (0.15, 0.28, 0.42, 0.56, 0.7)},
        ),
        "size": Knob("its width as a share of the picture's", span=(0.4, 0.9), legal=(0.01, 4.0)),
        "content": Knob("lettering or an emblem", choices=CONTENTS, default="text|text|logo"),
        "layout": Knob("once or all over", choices=LAYOUTS, default="single|single|tiled"),
        "colour": Knob("of the mark", choices=COLOURS, default="white|white|black|coloured"),
        "tilt": Knob("largest angle to either side, degrees", legal=(0.0, 180.0), default=45.0),
    },
)
