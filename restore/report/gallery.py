"""Every degradation at five severities on one picture, to see with one's own eyes what each of them does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from restore.report.sheet import Cell, contact_sheet, to_uint8

if TYPE_CHECKING:
    from PIL import Image

SEVERITIES = (1, 2, 3, 4, 5)


def gallery(
    picture: np.ndarray,
    specs: Sequence[str] | None = None,
    *,
    seed: int = 0,
    side: int = 240,
    on_row: Callable[[str], None] | None = None,
) -> Image.Image:
    """Rows of the picture degraded at severities 1 to 5, in the physical order, each labelled.

    Args:
        picture: ``H x W`` or ``H x W x C``, uint8, uint16 or floating in [0, 1]; reduced to ``side`` if larger.
        specs: what to draw, as for :func:`restore.degradations.degradation`; None: every degradation, and every
            mixture in one row of five draws.
        side: longest side of a cell, pixels.
        on_row: called with each name before its row is made.

    Raises:
        UsageError: an unknown name or a parameter out of range.
    """
    from restore.degradations import degradation, mixtures, names
    from restore.degradations.order import by_place

    clean = _reduced(to_uint8(picture), side)
    listed = [name for group in by_place(names()).values() for name in group]
    # Mixtures that shrink the picture can also leave it as large as it was.
    listed += [m if degradation(m).keeps_size else f"{m}:scale=1" for m in mixtures()]
    drawn = {spec: degradation(spec) for spec in (listed if specs is None else specs)}
    rows: list[list[Cell]] = []
    for spec, wanted in drawn.items():
        if on_row is not None:
            on_row(spec)
        severities = [None] * 5 if spec.partition(":")[0] in mixtures() else list(SEVERITIES)
        rows.append([_cell(clean, spec, wanted, severity, seed + i * (severity is None))
                     for i, severity in enumerate(severities)])  # fmt: skip
    title = f"{len(rows)} degradations at severities 1 to 5, mixtures in five draws (seed {seed})"
    return contact_sheet([[(clean, "clean")], *rows], title=title)


def _cell(clean: np.ndarray, spec: str, wanted: object, severity: float | None, seed: int) -> Cell:
    from restore.degradations import sample as draw
    from restore.image import array_to_tensor, tensor_to_array

    x = array_to_tensor(clean)
    # One seed for a row: what grows from left to right is the severity alone.
    y, _ = wanted(x, severity=severity, generator=draw.generator(draw.child_seed(seed, spec)))  # type: ignore[operator]
    caption = f"{spec}, severity {severity:g}" if severity is not None else f"{spec}, draw {seed}"
    return tensor_to_array(y, np.uint8), caption


def _reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """The longest side at most ``side``, by area."""
    from restore.image import array_to_tensor, tensor_to_array
    from restore.resample import imresize

    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    if ratio >= 1:
        return pixels
    size = (max(round(height * ratio), 1), max(round(width * ratio), 1))
    return tensor_to_array(imresize(array_to_tensor(pixels), size=size, kernel="area"), np.uint8)
