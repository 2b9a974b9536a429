"""Procedural charts and scenes: plots, maps, line art, logos, cartoons, cel shading, comics, isometric art."""

from __future__ import annotations

import cv2
import numpy as np

from restore.data.drawing_tools import (
    blank,
    blob,
    colour_ramp,
    draw_colour,
    draw_lettering,
    draw_theme,
    edge_style,
    mix,
    pick,
    ramp,
    smooth_field,
    words,
    write,
)

Rng = np.random.Generator


def line_chart(rng: Rng, h: int, w: int) -> np.ndarray:
    """Curves or points over axes, with or without a grid."""
    theme, letters, style = draw_theme(rng), draw_lettering(rng, 9, 14), edge_style(rng)
    out = blank(h, w, theme.ground)
    left, bottom = int(w * 0.1) + 8, h - int(h * 0.1) - 8
    for k in range(1, 7):
        x, y = left + k * (w - left) // 7, bottom - k * bottom // 7
        if rng.random() < 0.5:
            out[y, left:] = out[: bottom + 1, x] = mix(theme.ground, theme.line, 0.3)
        write(out, x - 6, bottom + 4, str(k * 10), theme.ink, letters)
        write(out, 2, y - 6, f"{k / 10}", theme.ink, letters)
    cv2.line(out, (left, 6), (left, bottom), theme.ink, 1)
    cv2.line(out, (left, bottom), (w - 6, bottom), theme.ink, 1)
    for _ in range(int(rng.integers(1, 5))):
        n = int(rng.integers(8, 120))
        walk = np.cumsum(rng.normal(0, 1, n))
        walk = (walk - walk.min()) / (np.ptp(walk) + 1e-6) * rng.uniform(0.3, 0.95)
        points = np.stack([np.linspace(left, w - 8, n), bottom - walk * bottom], 1).astype(np.int32)
        colour = pick(rng, theme.fills)
        if rng.random() < 0.7:
            cv2.polylines(out, [points[:, None]], False, colour, int(rng.integers(1, 4)), style)
        else:
            for x, y in points.tolist():
                cv2.circle(out, (x, y), int(rng.integers(1, 5)), colour, -1, style)
    return out


def bar_chart(rng: Rng, h: int, w: int) -> np.ndarray:
    """Bars in groups, or a cake with a legend."""
    theme, letters, style = draw_theme(rng), draw_lettering(rng, 9, 14), edge_style(rng)
    out = blank(h, w, theme.ground)
    if rng.random() < 0.35:
        ends = np.cumsum(rng.dirichlet(np.ones(int(rng.integers(2, 8))))) * 360
        start, radius = 0.0, int(min(h, w) * 0.35)
        for k, end in enumerate(ends):
            colour = theme.fills[k % len(theme.fills)]
            cv2.ellipse(out, (w // 2, h // 2), (radius, radius), 0, start, end, colour, -1, style)
            out[6 + 16 * k : 16 + 16 * k, 6:16] = colour
            write(out, 20, 5 + 16 * k, words(rng, 1), theme.ink, letters)
            start = float(end)
        return out
    count = int(rng.integers(3, 20))
    wide = max(2, w // (count + 1))
    for k in range(count):
        top = int(h * rng.uniform(0.1, 0.85))
        colour = theme.fills[k % len(theme.fills)]
        cv2.rectangle(out, (8 + k * wide, top), (8 + k * wide + int(wide * 0.8), h - 20), colour, -1)
        if rng.random() < 0.5:
            write(out, 8 + k * wide, top - letters.size - 3, f"{top}", theme.ink, letters)
    out[h - 20] = theme.ink
    return out


def map_of_regions(rng: Rng, h: int, w: int) -> np.ndarray:
    """Land and water, borders, contour lines, roads, names."""
    theme, style = draw_theme(rng), edge_style(rng)
    field = smooth_field(rng, h, w, int(rng.integers(2, 7)))
    levels = int(rng.integers(2, 8))
    label = np.minimum((field * levels).astype(np.uint8), levels - 1)
    tones = [mix(theme.ground, pick(rng, theme.fills), float(rng.uniform(0.2, 1))) for _ in range(levels)]
    out = np.array(tones, np.uint8)[label]
    if rng.random() < 0.7:
        for level in range(1, levels):
            found, _ = cv2.findContours(
                (label >= level).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
            )
            cv2.drawContours(out, found, -1, theme.line, int(rng.integers(1, 3)), style)
    for _ in range(int(rng.integers(0, 8))):
        points = (np.cumsum(rng.normal(0, w / 12, (12, 2)), 0) + rng.uniform(0, w, 2)).astype(np.int32)
        cv2.polylines(out, [points[:, None]], False, pick(rng, theme.fills), int(rng.integers(1, 5)), style)
    letters = draw_lettering(rng, 9, 15)
    for _ in range(int(rng.integers(0, 12))):
        write(out, int(rng.integers(0, w)), int(rng.integers(0, h)), words(rng, 1), theme.ink, letters)
    return out


def line_art(rng: Rng, h: int, w: int) -> np.ndarray:
    """Curves and outlines of ink; some hatched."""
    theme, style = draw_theme(rng), edge_style(rng)
    out = blank(h, w, theme.ground)
    for _ in range(int(rng.integers(4, 40))):
        x, y = float(rng.uniform(0, w)), float(rng.uniform(0, h))
        thick, kind = int(rng.integers(1, 5)), rng.integers(4)
        if kind == 0:
            outline = blob(rng, x, y, rng.uniform(0.05, 0.4) * min(h, w))
            cv2.polylines(out, [outline], True, theme.ink, thick, style)
        elif kind == 1:
            axes = rng.integers(4, max(h, w) // 2, 2).tolist()
            start, end = rng.uniform(0, 360, 2).tolist()
            cv2.ellipse(out, (int(x), int(y)), axes, rng.uniform(0, 180), start, end, theme.ink, thick, style)
        elif kind == 2:
            cv2.line(out, (int(x), int(y)), rng.integers(0, (w, h)).tolist(), theme.ink, thick, style)
        else:
            step, long = int(rng.integers(3, 9)), int(rng.integers(10, 80))
            for k in range(int(rng.integers(4, 25))):
                at = (int(x) + k * step, int(y))
                cv2.line(out, at, (at[0] + long // 2, at[1] + long), theme.ink, 1, style)
    return out


def logo(rng: Rng, h: int, w: int) -> np.ndarray:
    """A few shapes in the middle, perhaps a word."""
    theme, style = draw_theme(rng), edge_style(rng)
    out = blank(h, w, theme.ground)
    size = min(h, w)
    for _ in range(int(rng.integers(1, 6))):
        x, y = w / 2 + rng.normal(0, size / 10), h / 2 + rng.normal(0, size / 10)
        r = int(size * rng.uniform(0.06, 0.35))
        colour = pick(rng, (*theme.fills, theme.ground))
        sides = int(rng.integers(3, 9))
        if rng.random() < 0.4:
            cv2.circle(out, (int(x), int(y)), r, colour, -1, style)
        else:
            a = np.linspace(0, 2 * np.pi, sides, endpoint=False) + rng.uniform(0, 6.3)
            corners = np.stack([x + r * np.cos(a), y + r * np.sin(a)], 1).astype(np.int32)
            cv2.fillPoly(out, [corners[:, None]], colour, style)
    if rng.random() < 0.6:
        write(out, w // 4, int(h * 0.75), words(rng, 1), theme.ink, draw_lettering(rng, 20, 48))
    return out


def cartoon(rng: Rng, h: int, w: int) -> np.ndarray:
    """Flat shapes before a flat or graded sky, with or without outlines."""
    theme, style = draw_theme(rng), edge_style(rng)
    sky = (draw_colour(rng, 90, 256), draw_colour(rng, 90, 256))
    out = colour_ramp(ramp(rng, h, w), sky) if rng.random() < 0.4 else blank(h, w, sky[0])
    outlined = rng.random() < 0.6
    for _ in range(int(rng.integers(3, 25))):
        outline = blob(rng, rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.04, 0.3) * min(h, w))
        cv2.fillPoly(out, [outline], pick(rng, theme.fills), style)
        if outlined:
            cv2.polylines(out, [outline], True, (0, 0, 0), int(rng.integers(1, 4)), style)
    return out


def cel_shading(rng: Rng, h: int, w: int) -> np.ndarray:
    """Figures as in animated films: a ground of gradients, each shape in light, shadow and outline."""
    style = edge_style(rng)
    out = colour_ramp(smooth_field(rng, h, w, int(rng.integers(1, 4))), (draw_colour(rng), draw_colour(rng)))
    for _ in range(int(rng.integers(3, 16))):
        x, y = rng.uniform(0, (w, h))
        radius, colour = rng.uniform(0.06, 0.35) * min(h, w), draw_colour(rng)
        outline = blob(rng, x, y, radius)
        inside = np.zeros((h, w), np.uint8)
        cv2.fillPoly(inside, [outline], 255, style)
        layer = blank(h, w, colour)
        if rng.random() < 0.4:
            layer = colour_ramp(ramp(rng, h, w), (colour, mix(colour, (255, 255, 255), 0.4)))
        shade = blob(rng, x + radius * 0.3, y + radius * 0.3, radius)
        cv2.fillPoly(layer, [shade], mix(colour, (20, 10, 40), float(rng.uniform(0.2, 0.5))), style)
        cv2.circle(
            layer, (int(x - radius / 3), int(y - radius / 3)), int(radius / 6) + 1, (255, 255, 255), -1, style
        )
        t = inside[..., None].astype(np.float32) / 255
        out = np.rint(out + t * (layer.astype(np.float32) - out)).astype(np.uint8)
        cv2.polylines(out, [outline], True, mix(colour, (0, 0, 0), 0.8), int(rng.integers(1, 4)), style)
    return out


def comic(rng: Rng, h: int, w: int) -> np.ndarray:
    """Panels with shapes in screened greys, speech in balloons."""
    style = edge_style(rng)
    out = blank(h, w, (255, 255, 255))
    y, x = np.mgrid[0:h, 0:w]
    letters, gap = draw_lettering(rng, 9, 13), int(rng.integers(2, 10))
    for top, bottom in ((0, h // 2), (h // 2, h)):
        for left, right in ((0, w // 2), (w // 2, w)):
            period, size = int(rng.integers(3, 8)), float(rng.uniform(0.5, 5))
            dots = ((x % period - period / 2) ** 2 + (y % period - period / 2) ** 2 < size)[..., None]
            screen = np.where(dots, np.uint8(0), np.uint8(255)).repeat(3, 2)
            inside = np.zeros((h, w), np.uint8)
            for _ in range(3):
                cx, cy = rng.uniform((left, top), (right, bottom)).tolist()
                outline = blob(rng, cx, cy, rng.uniform(0.1, 0.3) * min(h, w))
                inside[:] = 0
                cv2.fillPoly(
                    inside[top + gap : bottom - gap, left + gap : right - gap], [outline - (left, top)], 1
                )
                if rng.random() < 0.7:
                    out[inside > 0] = screen[inside > 0] if rng.random() < 0.7 else 0
            cv2.rectangle(out, (left + gap, top + gap), (right - gap, bottom - gap), (0, 0, 0), 2)
            middle = (int((left + right) / 2), int(top + (bottom - top) / 5))
            cv2.ellipse(out, middle, (w // 6, h // 12), 0, 0, 360, (255, 255, 255), -1, style)
            cv2.ellipse(out, middle, (w // 6, h // 12), 0, 0, 360, (0, 0, 0), 1, style)
            write(out, middle[0] - w // 8, middle[1] - 6, words(rng, 2), (0, 0, 0), letters)
    return out


def isometric(rng: Rng, h: int, w: int) -> np.ndarray:
    """Blocks seen from a corner, three tones each."""
    theme, style = draw_theme(rng), edge_style(rng)
    out = blank(h, w, theme.ground)
    side = int(rng.integers(8, 44))
    for row in range(-1, 2 * h // side + 2):
        for column in range(-1, w // (2 * side) + 2):
            x, y = column * 2 * side + (row % 2) * side, row * side // 2
            up, colour = int(rng.integers(0, 2 * side)), pick(rng, theme.fills)
            top = np.array(
                [
                    (x, y - up),
                    (x + side, y - up + side // 2),
                    (x, y - up + side),
                    (x - side, y - up + side // 2),
                ]
            )
            for tone, a, b in ((0.35, 3, 2), (0.6, 2, 1)):
                wall = np.array([top[a], top[b], top[b] + (0, up), top[a] + (0, up)])
                cv2.fillPoly(out, [wall.astype(np.int32)], mix(colour, (0, 0, 0), tone), style)
            cv2.fillPoly(out, [top.astype(np.int32)], colour, style)
    return out


KINDS = {
    "line chart": line_chart,
    "bar chart": bar_chart,
    "map": map_of_regions,
    "line art": line_art,
    "logo": logo,
    "cartoon": cartoon,
    "cel shading": cel_shading,
    "comic": comic,
    "isometric": isometric,
}
