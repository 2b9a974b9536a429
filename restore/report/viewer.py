"""Pictures to look at side by side: small previews of whole pictures, and exact crops where they differ most."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restore.names import show_name
from restore.report.sheet import to_uint8

# Longest side of a preview in pixels: a page stays a few hundred kilobytes per picture however large that is.
PREVIEW = 800
# Side of a crop in pixels, stored exactly, and how many there are at most.
CROP = 160
PLACES = 2
# Up to this many pixels a side a preview is stored exactly (PNG); a larger one is JPEG.
EXACT = 384


@dataclass(frozen=True)
class Crop:
    """The same window (left, top, right, bottom in pixels of the picture) of every view, not resized."""

    box: tuple[int, int, int, int]
    views: Sequence[np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """Views of one picture to look at through a slider: any of ``views`` against any other.

    Args:
        views: (label, ``H x W [x C]`` array), the first shown on the left, the second on the right.
        note: a line below.
        findings: what was found in the picture; ``actions``: what was done to it.
        size: width and height of the picture itself; None: the views are the picture.
        crops: exact windows, see :func:`look_at`.
    """

    title: str
    views: Sequence[tuple[str, np.ndarray]]
    note: str = ""
    findings: Sequence[str] = ()
    actions: Sequence[str] = ()
    size: tuple[int, int] | None = None
    crops: Sequence[Crop] = ()


def look_at(
    title: str,
    views: Sequence[tuple[str, np.ndarray]],
    *,
    note: str = "",
    findings: Sequence[str] = (),
    actions: Sequence[str] = (),
    preview: int = PREVIEW,
) -> Comparison:
    """A :class:`Comparison` that holds little however large the pictures are.

    Previews are shrunk to ``preview`` pixels; crops are cut where the first two views differ most, at the
    pictures' own pixels. Views smaller than the largest one (before an enlargement) are repeated pixel by pixel.
    """
    arrays = [to_uint8(array) for _, array in views]
    height, width = (max(a.shape[axis] for a in arrays) for axis in (0, 1))
    arrays = [_fitted(a, height, width) for a in arrays]
    small = [(label, _shrunk(a, preview)) for (label, _), a in zip(views, arrays, strict=True)]
    crops = []
    for top, left in different_places(arrays[0], arrays[min(1, len(arrays) - 1)], side=CROP):
        bottom, right = min(height, top + CROP), min(width, left + CROP)
        crops.append(Crop((left, top, right, bottom), [a[top:bottom, left:right].copy() for a in arrays]))
    return Comparison(title, small, note, findings, actions, (width, height), crops)


def different_places(
    a: np.ndarray, b: np.ndarray, *, side: int, count: int = PLACES
) -> list[tuple[int, int]]:
    """(top, left) of the windows of ``side`` in which two pictures differ most, the most first, not overlapping.

    None where they are equal, and none in a picture no larger than a window and a half.
    """
    height, width = a.shape[:2]
    if height * width <= 2 * side * side:
        return []
    step = max(8, side // 4)
    rows, columns = -(-height // step), -(-width // step)
    sums = np.zeros((rows, columns))
    for i in range(rows):  # by bands: no float copy of a large picture
        band = slice(i * step, (i + 1) * step)
        change = np.abs(a[band].astype(np.int16) - b[band]).sum((0, 2))
        sums[i] = np.add.reduceat(change, np.arange(0, width, step))
    if not sums.any():
        return []
    n = side // step
    padded = np.pad(sums, ((1, n), (1, n))).cumsum(0).cumsum(1)
    total = padded[n:, n:] - padded[:-n, n:] - padded[n:, :-n] + padded[:-n, :-n]
    found: list[tuple[int, int]] = []
    for index in np.argsort(-total[:rows, :columns], axis=None, kind="stable"):
        i, k = divmod(int(index), columns)
        top, left = min(i * step, max(0, height - side)), min(k * step, max(0, width - side))
        if all(abs(top - t) >= side or abs(left - s) >= side for t, s in found):
            found.append((top, left))
        if len(found) == count:
            break
    return found


def data_uri(array: np.ndarray, *, exact: bool | None = None) -> str:
    """A picture as a ``data:`` address: PNG up to 384 px a side or where ``exact``, else JPEG."""
    from PIL import Image

    image = Image.fromarray(to_uint8(array))
    buffer = io.BytesIO()
    kind = "png" if (max(image.size) <= EXACT if exact is None else exact) else "jpeg"
    image.save(buffer, kind.upper(), **({"optimize": True} if kind == "png" else {"quality": 90}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def comparison_html(c: Comparison) -> str:
    """An ``<article>``: title, what was found, slider, crops."""
    height, width = c.views[0][1].shape[:2]
    shown = max(width, min(3 * width, 860))
    right = min(1, len(c.views) - 1)

    def choices(chosen: int) -> str:
        return "".join(
            f'<option value="{i}"{" selected" if i == chosen else ""}>{html.escape(show_name(label))}</option>'
            for i, (label, _) in enumerate(c.views)
        )

    images = "".join(
        f'<img class="{"l" * (i == 0)} {"r" * (i == right)}" alt="{html.escape(show_name(label))}" decoding="async" '
        f'src="{data_uri(view)}">'
        for i, (label, view) in enumerate(c.views)
    )
    marks = "".join(_mark(i, crop, c.size or (width, height)) for i, crop in enumerate(c.crops, 1))
    chips = "".join(f"<li>{html.escape(show_name(f))}</li>" for f in c.findings)
    chips += "".join(f'<li class="d">{html.escape(show_name(a))}</li>' for a in c.actions)
    note = f"<p>{html.escape(show_name(c.note))}</p>" if c.note else ""
    small = " x" if max(width, height) <= EXACT else ""
    title = html.escape(show_name(c.title))
    return (
        f"<article><h3>{title}</h3>{f'<ul class=f>{chips}</ul>' if chips else ''}"
        f'<div class="k"><label>left <select>{choices(0)}</select></label>'
        f"<label>right <select>{choices(right)}</select></label></div>"
        f'<div class="c{small}" style="aspect-ratio:{width}/{height};width:{shown}px">{images}{marks}<i></i>'
        f'<input type="range" min="0" max="100" step="0.5" value="50" aria-label="where to cut {title}"></div>'
        f"{''.join(_zoom(i, crop, c) for i, crop in enumerate(c.crops, 1))}{note}</article>"
    )


def _mark(number: int, crop: Crop, size: tuple[int, int]) -> str:
    left, top, right, bottom = crop.box
    place = {
        "left": left / size[0],
        "top": top / size[1],
        "width": (right - left) / size[0],
        "height": (bottom - top) / size[1],
    }
    style = ";".join(f"{k}:{100 * v:.2f}%" for k, v in place.items())
    return f'<b style="{style}">{number}</b>'


def _zoom(number: int, crop: Crop, c: Comparison) -> str:
    left, top, right, bottom = crop.box
    panes = "".join(
        f'<figure><div class="pane"><img alt="{html.escape(show_name(label))}, crop {number}" decoding="async" '
        f'draggable="false" src="{data_uri(view, exact=True)}"></div>'
        f"<figcaption>{html.escape(show_name(label))}</figcaption></figure>"
        for (label, _), view in zip(c.views, crop.views, strict=True)
    )
    where = f"{number}: pixels {left} to {right - 1} across, {top} to {bottom - 1} down"
    return (
        f'<div class="zoom" tabindex="0" role="group" aria-label="crop {where}; plus, minus and arrows zoom and move">'
        f"<header><span>{where}</span><span><button type=button aria-label='less zoom'>−</button> <output></output> "
        "<button type=button aria-label='more zoom'>+</button> <button type=button>reset</button></span></header>"
        f'<div class="panes">{panes}</div></div>'
    )


def _fitted(array: np.ndarray, height: int, width: int) -> np.ndarray:
    if array.shape[:2] == (height, width):
        return array
    rows = np.arange(height) * array.shape[0] // height
    return array[rows][:, np.arange(width) * array.shape[1] // width]


def _shrunk(array: np.ndarray, longest: int) -> np.ndarray:
    height, width = array.shape[:2]
    if max(height, width) <= longest:
        return array.copy()
    import cv2

    factor = longest / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA)
