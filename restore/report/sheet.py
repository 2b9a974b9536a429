"""A contact sheet: pictures in rows, captions below, nothing resampled except by whole factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from restore.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

Cell = tuple[np.ndarray, str]

_PAPER, _INK = (255, 255, 255), (20, 20, 20)
_GAP = 10


def to_uint8(array: np.ndarray) -> np.ndarray:
    """``H x W`` or ``H x W x C`` (uint8, uint16, or floating in [0, 1], clamped) as ``H x W x 3`` uint8."""
    values = array[:, :, None] if array.ndim == 2 else array
    if np.issubdtype(values.dtype, np.floating):
        values = np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    elif values.dtype == np.uint16:
        values = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)), dtype=np.uint8)


def busiest_window(array: np.ndarray, size: int) -> tuple[slice, slice]:
    """The window of at most ``size`` x ``size`` with the most edges, in steps of a quarter of its size.

    Where a picture is plain, restorers look alike; the choice is made on the reference, not on a result.
    """
    grey = to_uint8(array).astype(np.float32).mean(2)
    height, width = grey.shape
    high, wide = min(size, height), min(size, width)
    edges = np.zeros((height + 1, width + 1))
    steep = np.abs(np.gradient(grey, axis=0)) if height > 1 else np.zeros_like(grey)
    if width > 1:
        steep = steep + np.abs(np.gradient(grey, axis=1))
    edges[1:, 1:] = steep.cumsum(0).cumsum(1)
    tops = sorted({*range(0, height - high + 1, max(1, high // 4)), height - high})
    lefts = sorted({*range(0, width - wide + 1, max(1, wide // 4)), width - wide})
    top, left = max(
        ((t, s) for t in tops for s in lefts),
        key=lambda p: (
            edges[p[0] + high, p[1] + wide]
            - edges[p[0], p[1] + wide]
            - edges[p[0] + high, p[1]]
            + edges[p[0], p[1]]
        ),
    )
    return slice(top, top + high), slice(left, left + wide)


def contact_sheet(
    rows: Sequence[Sequence[Cell]], *, zoom: int = 1, title: str = "", text_size: int = 14
) -> Image.Image:
    """Rows of (picture, caption) as one RGB picture.

    Args:
        rows: pictures ``H x W`` or ``H x W x C``, uint8, uint16 or floating in [0, 1]; rows may differ in
            length and pictures in size. A caption may have several lines; too long ones are broken.
        zoom: whole factor by which pixels are repeated.
        title: a line above everything.
        text_size: height of the text in px.

    Raises:
        UsageError: no pictures, or a zoom below 1.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not any(rows):
        raise UsageError("expected at least one picture for a contact sheet, got none")
    if zoom < 1:
        raise UsageError(f"expected zoom 1 or more, got {zoom}")
    font = ImageFont.load_default(text_size)
    line_height = round(text_size * 1.35)
    blocks: list[list[tuple[np.ndarray, list[str]]]] = []
    for row in rows:
        block = []
        for array, caption in row:
            pixels = to_uint8(array).repeat(zoom, 0).repeat(zoom, 1)
            block.append((pixels, _broken(caption, font, max(pixels.shape[1], 8 * text_size))))
        blocks.append(block)

    columns = max(len(block) for block in blocks)
    widths = [
        max((max(b[k][0].shape[1], 8 * text_size) for b in blocks if k < len(b)), default=0)
        for k in range(columns)
    ]
    heights = [
        max((p.shape[0] + line_height * len(lines) for p, lines in block), default=0) + 4 for block in blocks
    ]
    head = line_height * len(_broken(title, font, sum(widths))) + _GAP if title else 0
    size = (sum(widths) + _GAP * (columns + 1), head + sum(heights) + _GAP * (len(blocks) + 1))
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        for i, line in enumerate(_broken(title, font, sum(widths))):
            pen.text((_GAP, _GAP + i * line_height), line, fill=_INK, font=font)
    top = head + _GAP
    for block, height in zip(blocks, heights, strict=True):
        left = _GAP
        for (pixels, lines), width in zip(block, widths, strict=False):
            sheet.paste(Image.fromarray(pixels), (left, top))
            for i, line in enumerate(lines):
                pen.text((left, top + pixels.shape[0] + 4 + i * line_height), line, fill=_INK, font=font)
            left += width + _GAP
        top += height + _GAP
    return sheet


def _broken(text: str, font: Any, width: int) -> list[str]:
    """Lines no wider than ``width`` px, broken at spaces, else anywhere."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split(" "):
            wanted = f"{line} {word}" if line else word
            if font.getlength(wanted) <= width:
                line = wanted
                continue
            if line:
                lines.append(line)
            line = word
            while len(line) > 1 and font.getlength(line) > width:
                shorter = range(len(line) - 1, 0, -1)
                fits = next(n for n in shorter if n == 1 or font.getlength(line[:n]) <= width)
                lines.append(line[:fits])
                line = line[fits:]
        lines.append(line)
    return lines
