"""What procedural drawings are put together from: colour themes, lettering, smooth fields, antialiased shapes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageFont

Colour = tuple[int, int, int]
_TEXT = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they "
    "which one you were her all she there would their we him been has when who will more no if out so said what "
    "picture measure Figure Table total 2024 3.14 17% Name: Date: value, level. page (a) [12] x+y=z signal-to-noise "
    "resolution Restoration COLOUR Settings File Edit View Help OK Cancel return int def import class None self"
)
_WORDS = _TEXT.split()
_OUTLINES = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_PLAIN,
)


@dataclass(frozen=True)
class Theme:
    """Colours that go together: what lies under everything, what is written, lines, and fills."""

    ground: Colour
    ink: Colour
    line: Colour
    fills: tuple[Colour, ...]


def draw_colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    """Any colour whose channels lie in ``[low, high)``."""
    r, g, b = rng.integers(low, high, 3).tolist()
    return r, g, b


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """``a`` with ``share`` of ``b``."""
    r, g, c = (round(x + share * (y - x)) for x, y in zip(a, b, strict=True))
    return r, g, c


def draw_theme(rng: np.random.Generator) -> Theme:
    """Paper, screens in light and dark mode, cream, or any two colours."""
    mode = rng.random()
    if mode < 0.4:
        ground, ink = (255, 255, 255), draw_colour(rng, 0, 70) if rng.random() < 0.5 else (0, 0, 0)
    elif mode < 0.6:
        grey = int(rng.integers(225, 255))
        ground, ink = (grey, grey, grey), draw_colour(rng, 0, 90)
    elif mode < 0.8:
        ground, ink = draw_colour(rng, 0, 50), draw_colour(rng, 170, 256)
    elif mode < 0.88:
        ground, ink = (0, 0, 0), draw_colour(rng, 150, 256)
    elif mode < 0.94:
        ground, ink = draw_colour(rng, 215, 256), draw_colour(rng, 0, 80)
    else:
        ground, ink = draw_colour(rng), draw_colour(rng)
    line = mix(ground, ink, float(rng.uniform(0.15, 1)))
    fills = tuple(draw_colour(rng) for _ in range(int(rng.integers(2, 8))))
    if rng.random() < 0.3:  # tones of one colour
        fills = tuple(mix(ground, fills[0], (k + 1) / len(fills)) for k in range(len(fills)))
    return Theme(ground, ink, line, fills)


def blank(height: int, width: int, colour: Colour) -> np.ndarray:
    """``H x W x 3`` uint8 of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def pick(rng: np.random.Generator, fills: tuple[Colour, ...]) -> Colour:
    """One of the colours."""
    return fills[int(rng.integers(len(fills)))]


def edge_style(rng: np.random.Generator) -> int:
    """OpenCV's line type: antialiased mostly, else jagged."""
    return cv2.LINE_AA if rng.random() < 0.75 else cv2.LINE_8


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@dataclass(frozen=True)
class Lettering:
    """How text looks: its size in pixels, antialiased, one bit, in subpixels, or outlines of a plotter."""

    size: int
    style: str
    stretch: float
    outline: int

    def mask(self, text: str) -> np.ndarray:
        """Coverage of the text, ``h x w x 3`` in [0, 1]."""
        if self.style == "outline":
            scale = self.size / 26
            thick = max(1, self.size // 16)
            (w, h), base = cv2.getTextSize(text, self.outline, scale, thick)
            plate: np.ndarray = np.zeros((h + base + 2 * thick, w + 2 * thick), np.uint8)
            at = (thick, h + thick)
            cv2.putText(plate, text, at, self.outline, scale, 255, thick, cv2.LINE_AA)
        else:
            core = _font(self.size).getmask(text, mode="1" if self.style == "bits" else "L")
            w, h = core.size
            if not w or not h:
                return np.zeros((1, 1, 3), np.float32)
            plate = np.array(core, dtype=np.uint8).reshape(h, w)
        if self.style == "subpixel":  # three coverages for each pixel, as flat screens have stripes
            wide = cv2.resize(
                plate, (plate.shape[1] * 3 // 2 * 2, plate.shape[0]), interpolation=cv2.INTER_LINEAR
            )
            wide = cv2.blur(np.pad(wide, ((0, 0), (3, 6))), (3, 1))
            n = wide.shape[1] // 3
            return wide[:, : 3 * n].reshape(-1, n, 3).astype(np.float32) / 255
        if self.stretch != 1:
            plate = cv2.resize(plate, None, fx=self.stretch, fy=1, interpolation=cv2.INTER_AREA)
        return np.repeat(plate[..., None], 3, 2).astype(np.float32) / 255


def draw_lettering(rng: np.random.Generator, low: int = 9, high: int = 22) -> Lettering:
    """Any size from ``low`` to ``high`` pixels in any style."""
    style = str(rng.choice(["smooth", "smooth", "bits", "subpixel", "outline"]))
    stretch = float(rng.uniform(0.7, 1.3)) if style == "smooth" and rng.random() < 0.4 else 1.0
    outline = _OUTLINES[int(rng.integers(len(_OUTLINES)))]
    return Lettering(int(rng.integers(low, high + 1)), style, stretch, outline)


def words(rng: np.random.Generator, count: int) -> str:
    """``count`` words of no meaning."""
    return " ".join(_WORDS[i] for i in rng.integers(0, len(_WORDS), count))


def write(picture: np.ndarray, x: int, y: int, text: str, colour: Colour, letters: Lettering) -> int:
    """Writes into ``picture`` with the top left corner at (x, y), cut at its borders; returns the width."""
    mask = letters.mask(text)
    w = mask.shape[1]
    top, left = max(0, -y), max(0, -x)
    part = picture[max(0, y) : max(0, y + mask.shape[0]), max(0, x) : max(0, x + w)]
    mask = mask[top : top + part.shape[0], left : left + part.shape[1]]
    if part.size and mask.size:
        part = part[: mask.shape[0], : mask.shape[1]]
        ink = np.array(colour, np.float32)
        part[:] = np.rint(part + mask * (ink - part)).astype(np.uint8)
    return w


def smooth_field(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """A smooth random field in [0, 1], ``H x W`` float32, about ``cells`` hills a side."""
    grid = rng.random((cells + 2, cells + 2)).astype(np.float32)
    field = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = float(field.min()), float(field.max())
    return (field - low) / max(high - low, 1e-6)


def ramp(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """An exact gradient in [0, 1], ``H x W``: along a line, from a point, or around it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = rng.integers(4)
    if kind < 2:
        angle = float(rng.choice([0, np.pi / 2])) if kind == 0 else float(rng.uniform(0, 2 * np.pi))
        t = x * np.cos(angle) + y * np.sin(angle)
    else:
        cx, cy = rng.uniform(-0.2, 1.2) * width, rng.uniform(-0.2, 1.2) * height
        t = np.hypot(x - cx, y - cy) if kind == 2 else np.arctan2(y - cy, x - cx)
    return np.asarray((t - t.min()) / max(float(np.ptp(t)), 1e-6), np.float32)


def colour_ramp(t: np.ndarray, stops: tuple[Colour, ...]) -> np.ndarray:
    """``t`` in [0, 1] as colours between ``stops``, ``H x W x 3`` uint8."""
    at = np.linspace(0, 1, len(stops))
    table = np.stack([np.interp(np.linspace(0, 1, 1024), at, [s[c] for s in stops]) for c in range(3)], 1)
    return np.rint(table).astype(np.uint8)[np.rint(t * 1023).astype(np.int32)]


def blob(rng: np.random.Generator, x: float, y: float, radius: float, points: int = 40) -> np.ndarray:
    """A closed smooth outline around (x, y), ``points x 1 x 2`` int32."""
    a = np.linspace(0, 2 * np.pi, points, endpoint=False)
    r = np.ones(points)
    for k in range(2, 6):
        r += rng.normal(0, 0.25 / k) * np.sin(k * a + rng.uniform(0, 6.3))
    r = radius * np.clip(r, 0.3, 2)
    return np.stack([x + r * np.cos(a), y + r * np.sin(a)], 1).astype(np.int32)[:, None]


def as_picture(grey: np.ndarray) -> np.ndarray:
    """``H x W`` uint8 as three equal channels."""
    return np.asarray(Image.fromarray(grey).convert("RGB"))
