"""Bands of rows as a TIFF that is never whole in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tifffile

from restore.files.picture import Picture
from restore.files.tiff_tags import append_directories
from restore.files.tiff_write import tiff_options

# Samples of a strip.
_STRIP = 1 << 20


def write_tiff_rows(
    path: Path, bands: Iterable[np.ndarray], shape: tuple[int, int, int], about: Picture
) -> None:
    """Writes bands of rows (C = 1 or 3) as a BigTIFF of ``shape`` (height, width, C).

    Args:
        about: what belongs to the picture beside its pixels, and their dtype.
    """
    height, width, channels = shape
    rows = max(1, _STRIP // (width * channels))
    tifffile.imwrite(
        path,
        _strips(bands, rows),
        shape=shape if channels == 3 else shape[:2],
        dtype=about.pixels.dtype,
        bigtiff=True,
        rowsperstrip=rows,
        photometric="rgb" if channels == 3 else "minisblack",
        planarconfig="contig" if channels == 3 else None,
        **tiff_options(about, (width, height)),
    )
    append_directories(path, about.exif)


def _strips(bands: Iterable[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """The same rows in strips of ``rows`` each, the last one shorter."""
    left: list[np.ndarray] = []
    held = 0
    for band in bands:
        left.append(band)
        held += len(band)
        if held >= rows:
            joined = np.concatenate(left)
            whole = held // rows * rows
            for top in range(0, whole, rows):
                yield _strip(joined[top : top + rows])
            left, held = [joined[whole:]], held - whole
    if held:
        yield _strip(np.concatenate(left))


def _strip(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows if rows.shape[2] == 3 else rows[:, :, 0])
