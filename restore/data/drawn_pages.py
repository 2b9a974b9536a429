"""Procedural pages and screens: text, code, terminals, forms, tables, slides, windows, chats, flow charts."""

from __future__ import annotations

import cv2
import numpy as np

from restore.data.drawing_tools import (
    Colour,
    blank,
    draw_colour,
    draw_lettering,
    draw_theme,
    edge_style,
    mix,
    pick,
    words,
    write,
)

Rng = np.random.Generator


def page(rng: Rng, h: int, w: int) -> np.ndarray:
    """Paragraphs in one or several columns, with or without a heading."""
    theme, letters = draw_theme(rng), draw_lettering(rng)
    out = blank(h, w, theme.ground)
    columns = int(rng.integers(1, 3)) if w > 250 else 1
    margin = int(rng.integers(4, 30))
    step = int(letters.size * rng.uniform(1.15, 1.9)) + 2
    top = margin
    if rng.random() < 0.4:
        write(out, margin, top, words(rng, 2), pick(rng, theme.fills), draw_lettering(rng, 20, 40))
        top += 48
    last = h if rng.random() < 0.6 else int(rng.uniform(0.2, 1) * h)
    for column in range(columns):
        left = margin + column * (w // columns)
        end = (column + 1) * w // columns - margin // 2
        y = top
        while y < last - margin:
            if rng.random() < 0.08:
                y += step
                continue
            x = left
            count = max(1, int((end - left) / letters.size / 3.4))
            if rng.random() < 0.12:
                count = int(rng.integers(1, count + 1))
            x += write(out, x, y, words(rng, count), theme.ink, letters)
            y += step
    return out


def code(rng: Rng, h: int, w: int) -> np.ndarray:
    """An editor: numbered, indented, coloured lines."""
    theme, letters = draw_theme(rng), draw_lettering(rng, 10, 16)
    out = blank(h, w, theme.ground)
    gutter = int(rng.integers(0, 40))
    out[:, :gutter] = mix(theme.ground, theme.ink, 0.08)
    step, indent = letters.size + int(rng.integers(3, 9)), 0
    for k, y in enumerate(range(4, h, step)):
        if gutter > 20:
            write(out, 4, y, str(k + 1), theme.line, letters)
        indent = int(np.clip(indent + rng.integers(-1, 2), 0, 5))
        x = gutter + 6 + indent * 2 * letters.size
        for _ in range(int(rng.integers(0, 7))):
            colour = theme.ink if rng.random() < 0.5 else pick(rng, theme.fills)
            x += write(out, x, y, words(rng, 1), colour, letters) + letters.size // 2
    return out


def terminal(rng: Rng, h: int, w: int) -> np.ndarray:
    """Lines of one colour on a dark ground, a bar below."""
    ground = (0, 0, 0) if rng.random() < 0.5 else draw_colour(rng, 0, 60)
    ink = draw_colour(rng, 120, 256)
    letters = draw_lettering(rng, 10, 16)
    out = blank(h, w, ground)
    for y in range(3, h - letters.size, letters.size + int(rng.integers(2, 6))):
        if rng.random() < 0.85:
            write(out, 4, y, words(rng, int(rng.integers(1, 14))), ink, letters)
    if rng.random() < 0.4:
        out[-letters.size - 6 :] = draw_colour(rng)
    return out


def table(rng: Rng, h: int, w: int) -> np.ndarray:
    """A spreadsheet: ruled or striped cells with numbers."""
    theme, letters = draw_theme(rng), draw_lettering(rng, 9, 15)
    out = blank(h, w, theme.ground)
    row, column = letters.size + int(rng.integers(4, 16)), int(rng.integers(40, 110))
    striped, ruled = rng.random() < 0.5, rng.random() < 0.7
    for k, y in enumerate(range(0, h, row)):
        if k == 0 or (striped and k % 2):
            out[y : y + row] = mix(theme.ground, theme.fills[0], 0.9 if k == 0 else 0.15)
        for x in range(0, w, column):
            if rng.random() < 0.8:
                text = words(rng, 1) if x == 0 or k == 0 else f"{rng.normal(0, 1000):.{rng.integers(0, 3)}f}"
                write(out, x + 4, y + 2, text[: column // 6], theme.ink, letters)
    if ruled:
        out[::row] = theme.line
        out[:, ::column] = theme.line
    return out


def form(rng: Rng, h: int, w: int) -> np.ndarray:
    """Labels, boxes to fill in, ticks, buttons."""
    theme, letters = draw_theme(rng), draw_lettering(rng, 10, 16)
    out, style = blank(h, w, theme.ground), edge_style(rng)
    y = 10
    while y < h - 20:
        kind = rng.integers(4)
        write(out, 10, y, words(rng, int(rng.integers(1, 4))), theme.ink, letters)
        left = int(w * rng.uniform(0.35, 0.5))
        if kind < 2:
            cv2.rectangle(out, (left, y - 3), (w - 12, y + letters.size + 5), theme.line, 1, style)
            if rng.random() < 0.5:
                write(out, left + 4, y, words(rng, 2), theme.ink, letters)
        elif kind == 2:
            cv2.circle(out, (left + 8, y + 8), 7, theme.line, 1, style)
            if rng.random() < 0.5:
                cv2.circle(out, (left + 8, y + 8), 4, theme.fills[0], -1, style)
        else:
            rounded(out, left, y - 4, left + 90, y + letters.size + 8, 6, pick(rng, theme.fills), style)
            write(out, left + 16, y, words(rng, 1), theme.ground, letters)
        y += letters.size + int(rng.integers(12, 34))
    return out


def slide(rng: Rng, h: int, w: int) -> np.ndarray:
    """A heading, a few points, a coloured bar or corner."""
    theme = draw_theme(rng)
    out = blank(h, w, theme.ground)
    if rng.random() < 0.5:
        out[: h // 6] = theme.fills[0]
    write(out, w // 16, h // 20, words(rng, 3), theme.ink, draw_lettering(rng, 24, 44))
    letters = draw_lettering(rng, 14, 28)
    y = h // 4
    for _ in range(int(rng.integers(2, 7))):
        cv2.circle(out, (w // 14, y + letters.size // 2), 4, theme.fills[-1], -1, edge_style(rng))
        write(out, w // 10, y, words(rng, int(rng.integers(2, 6))), theme.ink, letters)
        y += int(letters.size * 1.8)
    return out


def window(rng: Rng, h: int, w: int) -> np.ndarray:
    """A program: a bar above, entries at the side, cards."""
    theme, letters = draw_theme(rng), draw_lettering(rng, 10, 15)
    out, style = blank(h, w, mix(theme.ground, theme.ink, float(rng.uniform(0, 0.1)))), edge_style(rng)
    bar, side = int(rng.integers(18, 44)), int(w * rng.uniform(0, 0.4))
    out[bar:, :side] = mix(theme.ground, theme.ink, float(rng.uniform(0.02, 0.2)))
    out[:bar] = theme.fills[0]
    write(out, 8, bar // 4, words(rng, 4), theme.ground, letters)
    for y in range(bar + 8, h, letters.size + int(rng.integers(8, 22))):
        write(out, 8, y, words(rng, 2)[: max(1, side // 8)], theme.ink, letters)
    y = bar + 10
    while y < h:
        tall = int(rng.integers(30, 110))
        if rng.random() < 0.3:
            rounded(out, side + 13, y + 3, w - 7, y + tall + 3, 8, mix(theme.ground, (0, 0, 0), 0.2), style)
        rounded(out, side + 10, y, w - 10, y + tall, int(rng.integers(1, 12)), theme.ground, style)
        for line in range(y + 6, min(y + tall - letters.size, h), letters.size + 5):
            write(out, side + 20, line, words(rng, int(rng.integers(1, 9))), theme.ink, letters)
        y += tall + int(rng.integers(6, 20))
    return out


def flow_chart(rng: Rng, h: int, w: int) -> np.ndarray:
    """Boxes with words, joined by arrows."""
    theme, letters = draw_theme(rng), draw_lettering(rng, 9, 15)
    out, style = blank(h, w, theme.ground), edge_style(rng)
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    across = [(2 * c + 1) * w // (2 * columns) for c in range(columns)]
    centres = [(x, (2 * r + 1) * h // (2 * rows)) for r in range(rows) for x in across]
    for _ in range(rows * columns):
        a, b = rng.integers(0, len(centres), 2)
        cv2.arrowedLine(
            out, centres[a], centres[b], theme.line, int(rng.integers(1, 3)), style, tipLength=0.05
        )
    for x, y in centres:
        half, tall = int(w / columns * 0.35), int(h / rows * 0.25)
        fill = pick(rng, theme.fills) if rng.random() < 0.7 else theme.ground
        if rng.random() < 0.3:
            cv2.ellipse(out, (x, y), (half, tall), 0, 0, 360, fill, -1, style)
            cv2.ellipse(out, (x, y), (half, tall), 0, 0, 360, theme.line, 1, style)
        else:
            rounded(out, x - half, y - tall, x + half, y + tall, int(rng.integers(1, 10)), fill, style)
            cv2.rectangle(out, (x - half, y - tall), (x + half, y + tall), theme.line, 1)
        write(out, x - half + 4, y - letters.size // 2, words(rng, 2), theme.ink, letters)
    return out


def rounded(
    out: np.ndarray, left: int, top: int, right: int, bottom: int, radius: int, colour: Colour, style: int
) -> None:
    """A filled box with round corners."""
    r = max(0, min(radius, (right - left) // 2, (bottom - top) // 2))
    cv2.rectangle(out, (left + r, top), (right - r, bottom), colour, -1)
    cv2.rectangle(out, (left, top + r), (right, bottom - r), colour, -1)
    for x in (left + r, right - r):
        for y in (top + r, bottom - r):
            cv2.circle(out, (x, y), r, colour, -1, style)


KINDS = {
    "page": page,
    "code": code,
    "terminal": terminal,
    "table": table,
    "form": form,
    "slide": slide,
    "window": window,
    "flow chart": flow_chart,
}
