"""Procedural patterns: flat colour, gradients, checks, stripes, screens, dither, tiles, codes, masks, mazes."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from restore.data.drawing_tools import (
    as_picture,
    blank,
    colour_ramp,
    draw_colour,
    draw_theme,
    ramp,
    smooth_field,
)

Rng = np.random.Generator
_BAYER_2 = np.array([[0, 2], [3, 1]])


def flat(rng: Rng, h: int, w: int) -> np.ndarray:
    """One colour, or two or three in areas."""
    out = blank(h, w, draw_colour(rng))
    for _ in range(int(rng.integers(0, 3))):
        if rng.random() < 0.5:
            out[int(rng.integers(0, h)) :] = draw_colour(rng)
        else:
            out[:, int(rng.integers(0, w)) :] = draw_colour(rng)
    return out


def gradient(rng: Rng, h: int, w: int) -> np.ndarray:
    """A gradient of two to four colours, or the product of two."""
    stops = tuple(draw_colour(rng) for _ in range(int(rng.integers(2, 5))))
    out = colour_ramp(ramp(rng, h, w), stops)
    if rng.random() < 0.3:
        other = colour_ramp(ramp(rng, h, w), stops[::-1])
        out = ((out.astype(np.uint16) + other) // 2).astype(np.uint8)
    return out


def checkerboard(rng: Rng, h: int, w: int) -> np.ndarray:
    """Squares of 1 to 40 pixels, upright or turned."""
    side = int(2 ** rng.uniform(0, 5.3))
    y, x = np.mgrid[0:h, 0:w]
    if rng.random() < 0.2:
        x, y = x + y, x - y
    board = (x // side + y // side) % 2
    return np.array([draw_colour(rng), draw_colour(rng)], np.uint8)[board]


def stripes(rng: Rng, h: int, w: int) -> np.ndarray:
    """Hard, antialiased or sinusoidal stripes, straight or in rings (zone plates)."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    period = float(2 ** rng.uniform(1, 6))
    angle = float(rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]))
    t = (x * np.cos(angle) + y * np.sin(angle)) / period
    if rng.random() < 0.2:
        t = np.hypot(x - w / 2, y - h / 2) / period
        t = t**2 / 40 if rng.random() < 0.5 else t
    wave = np.sin(2 * np.pi * t)
    sharp = float(rng.choice([1, period / 3, 1e3]))
    return colour_ramp(np.clip(wave * sharp, -1, 1) / 2 + 0.5, (draw_colour(rng), draw_colour(rng)))


def screentone(rng: Rng, h: int, w: int) -> np.ndarray:
    """Dots or lines of a screen whose size follows a gradient or a smooth field."""
    tone = ramp(rng, h, w) if rng.random() < 0.6 else smooth_field(rng, h, w, int(rng.integers(1, 5)))
    period, angle = float(rng.uniform(3, 14)), float(rng.choice([0, np.pi / 4, rng.uniform(0, 1.6)]))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    screen = np.cos(2 * np.pi * u / period)
    if rng.random() < 0.8:
        screen = (screen + np.cos(2 * np.pi * v / period)) / 2
    soft = float(rng.choice([1e3, period / 2]))
    t = np.clip((screen - (2 * tone - 1)) * soft, -0.5, 0.5) + 0.5
    theme = draw_theme(rng)
    return colour_ramp(t, (theme.ground, theme.ink))


def dither(rng: Rng, h: int, w: int) -> np.ndarray:
    """Two or more levels, by an ordered matrix or error diffusion."""
    tone = ramp(rng, h, w) if rng.random() < 0.5 else smooth_field(rng, h, w, int(rng.integers(1, 6)))
    theme = draw_theme(rng)
    if rng.random() < 0.5:
        matrix = _BAYER_2
        for _ in range(int(rng.integers(0, 3))):
            matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
        n = len(matrix)
        levels = int(rng.integers(1, 5))
        limit = np.tile((matrix + 0.5) / matrix.size, (h // n + 1, w // n + 1))[:h, :w]
        return colour_ramp(np.floor(tone * levels + limit) / (levels + 1), (theme.ground, theme.ink))
    if rng.random() < 0.5:
        bits = np.asarray(Image.fromarray(np.uint8(tone * 255)).convert("1"), np.float32)
        return colour_ramp(bits, (theme.ground, theme.ink))
    colours = Image.fromarray(colour_ramp(tone, (theme.ground, *theme.fills)))
    return np.asarray(colours.quantize(int(rng.integers(4, 32))).convert("RGB"))


def tiles(rng: Rng, h: int, w: int) -> np.ndarray:
    """A small tile again and again, perhaps mirrored: textures of games, wallpapers, weaves."""
    side = int(rng.integers(3, 33))
    theme = draw_theme(rng)
    colours = np.array([theme.ground, theme.ink, *theme.fills], np.uint8)
    tile = colours[rng.integers(0, len(colours), (side, side))]
    if rng.random() < 0.5:
        tile = np.concatenate([tile, tile[:, ::-1]], 1)
    if rng.random() < 0.5:
        tile = np.concatenate([tile, tile[::-1]], 0)
    zoom = int(rng.integers(1, 5))
    tile = tile.repeat(zoom, 0).repeat(zoom, 1)
    th, tw = tile.shape[:2]
    return np.tile(tile, (h // th + 1, w // tw + 1, 1))[:h, :w].copy()


def square_code(rng: Rng, h: int, w: int) -> np.ndarray:
    """Modules of a two-dimensional code, or bars."""
    theme = draw_theme(rng)
    module = int(rng.integers(1, 14))
    rows, columns = h // module + 1, w // module + 1
    bits = rng.random((1 if rng.random() < 0.3 else rows, columns)) < 0.5
    bits = np.broadcast_to(bits, (rows, columns)).repeat(module, 0).repeat(module, 1)[:h, :w]
    out = np.array([theme.ground, theme.ink], np.uint8)[bits.astype(int)]
    margin = int(rng.uniform(0, 0.3) * min(h, w))
    if margin:
        out[:margin], out[-margin:], out[:, :margin], out[:, -margin:] = (theme.ground,) * 4
    return out


def mask(rng: Rng, h: int, w: int) -> np.ndarray:
    """Labels of regions, in grey or colour; two of them: a mask."""
    field = smooth_field(rng, h, w, int(rng.integers(2, 9)))
    levels = int(rng.integers(2, 9))
    label = np.minimum((field * levels).astype(int), levels - 1)
    colours = np.linspace(0, 255, levels).astype(np.uint8)[:, None].repeat(3, 1)
    if rng.random() < 0.5:
        colours = rng.integers(0, 256, (levels, 3)).astype(np.uint8)
    return np.asarray(colours[label])


def pixel_art(rng: Rng, h: int, w: int) -> np.ndarray:
    """Sprites of few colours, enlarged; scattered on a ground or side by side."""
    zoom, side = int(rng.integers(1, 9)), int(rng.integers(6, 17))
    theme = draw_theme(rng)
    rows, columns = h // zoom + 1, w // zoom + 1
    small = blank(rows, columns, theme.ground)
    if rng.random() < 0.6:
        ground = rng.integers(0, 3, (rows, columns)) < 1
        small[ground] = theme.line
    shapes = []
    for _ in range(int(rng.integers(1, 5))):
        half = rng.integers(0, len(theme.fills) + 1, (side, (side + 1) // 2))
        shapes.append(np.concatenate([half, half[:, ::-1]], 1))
    colours = np.array([theme.ground, *theme.fills], np.uint8)
    for _ in range(int(rng.integers(1, 2 + rows * columns // side**2))):
        shape = shapes[int(rng.integers(len(shapes)))]
        y, x = int(rng.integers(0, rows)), int(rng.integers(0, columns))
        part = small[y : y + shape.shape[0], x : x + shape.shape[1]]
        shape = shape[: part.shape[0], : part.shape[1]]
        part[shape > 0] = colours[shape][shape > 0]
    return small.repeat(zoom, 0).repeat(zoom, 1)[:h, :w].copy()


def maze(rng: Rng, h: int, w: int) -> np.ndarray:
    """Slashes or quarter circles, side by side at random (Truchet's tiles)."""
    side = int(rng.integers(6, 34))
    theme = draw_theme(rng)
    plate, thick = np.zeros((side, side), np.uint8), int(rng.integers(1, max(2, side // 4)))
    if rng.random() < 0.5:
        cv2.line(plate, (0, 0), (side, side), 255, thick, cv2.LINE_AA)
    else:
        for corner in ((0, 0), (side, side)):
            cv2.circle(plate, corner, side // 2, 255, thick, cv2.LINE_AA)
    rows, columns = h // side + 1, w // side + 1
    pair = np.stack([plate, plate[:, ::-1]])
    field = pair[rng.integers(0, 2, (rows, columns))].transpose(0, 2, 1, 3).reshape(rows * side, -1)
    return colour_ramp(field[:h, :w] / 255, (theme.ground, theme.ink))


def bits(rng: Rng, h: int, w: int) -> np.ndarray:
    """Black and white at random, in pixels or clumps."""
    field = cv2.blur(rng.random((h, w)).astype(np.float32), (int(rng.integers(1, 6)),) * 2)
    return as_picture(np.where(field > np.quantile(field, rng.uniform(0.2, 0.8)), np.uint8(255), np.uint8(0)))


KINDS = {
    "flat": flat,
    "gradient": gradient,
    "checkerboard": checkerboard,
    "stripes": stripes,
    "screentone": screentone,
    "dither": dither,
    "tiles": tiles,
    "square code": square_code,
    "mask": mask,
    "pixel art": pixel_art,
    "maze": maze,
    "bits": bits,
}
