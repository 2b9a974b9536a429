"""A picture too large to be held, restored band by band: rows on disk in, rows of a file out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from restore.errors import ImageError
from restore.files.encode_rows import RowWriter
from restore.files.large import Large, Scratch, unpacked
from restore.folder.pending import Pending
from restore.folder.planes import blend
from restore.restorers import Restorer

# Pixels that a restorer may ask for at once: it has to look at windows, not at the picture.
_WINDOW = 1 << 26
# Bytes of finished rows held until their windows are complete.
_BAND_BYTES = 1 << 29


def restore_large(
    large: Large,
    path: Path,
    restorer: Restorer,
    *,
    kind: str,
    quality: int | None = None,
    strength: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> tuple[Pending, bool]:
    """Restores a picture into a temporary file beside ``path``; memory is bounded by the tile.

    The source is unpacked to disk first, beside ``path``: it is read whole or refused, and restorers look where they
    want. Every value is the one that :func:`restore.folder.restore.restore_picture` gives.

    Args:
        kind: the format to write, ``"PNG"``, ``"TIFF"`` or ``"JPEG"``.

    Returns:
        The file, and whether any pixel changed.

    Raises:
        ImageError, RestoreError: as for any picture, or a restorer or format that has to hold all of it.
    """
    pending = Pending(path)
    try:
        with unpacked(large, path.parent) as scratch:
            writer = RowWriter(pending.temporary, large.about, kind, large.shape, quality=quality)
            try:
                changed = _restore(scratch, writer, restorer, strength, progress)
                writer.finish()
            except BaseException:
                writer.drop()
                raise
    except BaseException as error:
        pending.drop(error)
        raise
    return pending, changed


def _restore(
    scratch: Scratch,
    writer: RowWriter,
    restorer: Restorer,
    strength: float,
    progress: Callable[[float], None] | None,
) -> bool:
    height, width, channels = scratch.shape
    rows = _Band(writer, width, channels, scratch.dtype)
    changed = False

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        if (bottom - top) * (right - left) > _WINDOW:
            raise ImageError(
                f"{restorer.name} has to look at the whole picture, which is too large for that",
                hint="a smaller --tile, or a restorer that works in tiles: -m denoise, dejpeg, median",
            )
        return scratch.read(top, bottom, left, right)

    def write(top: int, left: int, part: np.ndarray) -> None:
        nonlocal changed
        if strength < 1 or not changed:
            before = scratch.read(top, top + part.shape[0], left, left + part.shape[1])
            part = blend(before, part, strength)
            changed = changed or not np.array_equal(before, part)
        rows.take(top, left, part)

    restorer.restore_by_windows(read, write, height=height, width=width, progress=progress)
    return changed


class _Band:
    """Rows whose windows arrive one after the other, handed on as soon as all of them are there."""

    def __init__(self, writer: RowWriter, width: int, channels: int, dtype: np.dtype) -> None:
        self._writer, self._width = writer, width
        self._rows = np.empty((0, width, channels), dtype)
        self._top = self._filled = 0

    def take(self, top: int, left: int, part: np.ndarray) -> None:
        """A window; those of a band come before those of the next."""
        bottom = top + part.shape[0] - self._top
        if bottom * self._rows[:1].nbytes > _BAND_BYTES or bottom * self._width > _BAND_BYTES:
            raise ImageError(
                f"a band of {bottom} rows of {self._width} pixels is too large", hint="give a smaller --tile"
            )
        if bottom > len(self._rows):
            grown = np.empty((bottom, *self._rows.shape[1:]), self._rows.dtype)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        self._rows[top - self._top : bottom, left : left + part.shape[1]] = part
        self._filled += part.shape[0] * part.shape[1]
        if self._filled == len(self._rows) * self._width:
            self._writer.write(self._rows)
            self._top += len(self._rows)
            self._rows, self._filled = np.empty((0, *self._rows.shape[1:]), self._rows.dtype), 0
