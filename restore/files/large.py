"""Pictures too large to be held: what they tell beside their pixels, and their rows on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from restore.errors import ImageError
from restore.files.decode import check_size, decode_image, open_image, opened, picture_size, read_picture
from restore.files.jpeg import check_end
from restore.files.jpeg_check import read_structure
from restore.files.picture import Picture
from restore.files.png16 import check_compression
from restore.files.rows import Rows
from restore.files.tiff import MAGIC, read_tiff, tiff_size

# Pictures above this are restored by bands where that can be, in megapixels.
HELD_MEGAPIXELS = 400.0
# And up to this, unless somebody asks for more.
MOST_MEGAPIXELS = 4000.0


@dataclass
class Large:
    """A picture that is read row by row.

    Args:
        about: what belongs to it beside its pixels; its own are a single one, of the right kind.
        kind: ``"PNG"``, ``"JPEG"`` or ``"TIFF"``.
    """

    path: Path
    about: Picture
    kind: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.about.pixels.shape[2]


def open_large(path: Path, *, max_megapixels: float = MOST_MEGAPIXELS) -> Large:
    """What a PNG, JPEG or TIFF says of itself; no pixel is decoded.

    Raises:
        ImageError: as :func:`restore.files.read_picture`, or a picture that cannot be read by rows: interlaced,
            progressive, turned, with transparency, in CMYK or of another format.
    """
    with opened(path) as file:
        prefix = file.read(32)
        if prefix[:4] in MAGIC:
            size = tiff_size(file)
            check_size(*size, max_megapixels)
            rows = Rows(file, "TIFF")
            about = read_tiff(file, _one_pixel(rows))
            kind = "TIFF"
        else:
            image = open_image(file, prefix)
            check_size(*image.size, max_megapixels)
            kind = "JPEG" if image.format == "MPO" else str(image.format)
            if kind not in ("PNG", "JPEG"):
                raise _refused(
                    f"{kind} of more than {HELD_MEGAPIXELS:g} megapixels", "save it as a PNG or TIFF"
                )
            if kind == "PNG":
                check_compression(file, os.fstat(file.fileno()).st_size)
            if image.info.get("interlace"):
                raise _refused("an interlaced PNG", "save it without interlacing")
            if kind == "JPEG" and read_structure(file).buffered:
                raise _refused("a progressive JPEG", "make it a sequential one, with jpegtran for instance")
            rows = Rows(file, kind)
            about = decode_image(file, image, kind, True, _one_pixel(rows))
        about.metadata = replace(about.metadata, size=(rows.width, rows.height))
        return Large(path, about, kind, rows.width, rows.height)


def read_any(path: Path, max_megapixels: float | None = None) -> Picture | Large:
    """A picture: held, or, above 400 megapixels, to be read row by row.

    Args:
        max_megapixels: larger ones are refused. None: 4000 for what can be read by rows, else 400. A picture that
            cannot, but that a given limit allows, is held.

    Raises:
        ImageError: as :func:`restore.files.read_picture` and :func:`open_large`.
    """
    try:
        width, height = picture_size(path)
    except ImageError:
        width = height = 0  # reading it says what is wrong, or that its header alone does not tell
    if width * height <= HELD_MEGAPIXELS * 1e6:
        return read_picture(
            path, max_megapixels=HELD_MEGAPIXELS if max_megapixels is None else max_megapixels
        )
    try:
        return open_large(path, max_megapixels=MOST_MEGAPIXELS if max_megapixels is None else max_megapixels)
    except ImageError:
        if max_megapixels is None:
            raise
        return read_picture(path, max_megapixels=max_megapixels)


def _one_pixel(rows: Rows) -> tuple[np.ndarray, None, None]:
    if rows.fourth:
        raise _refused("a picture with transparency or in CMYK", "make it an opaque RGB picture")
    return np.zeros((1, 1, rows.channels), rows.dtype), None, None


def _refused(what: str, hint: str) -> ImageError:
    return ImageError(f"{what} of this size cannot be read band by band", hint=hint)


class Scratch:
    """Pixels on disk, ``height x width x channels``, that are written row by row and read anywhere.

    Args:
        folder: where there is room for them; the file has no name, and goes with the process.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._pixel = shape[2] * dtype.itemsize

    def append(self, rows: np.ndarray) -> None:
        """The next rows."""
        self._file.write(np.ascontiguousarray(rows).data)

    def read(self, top: int, bottom: int, left: int, right: int) -> np.ndarray:
        """A part, as an array of its own."""
        self._file.flush()
        out = np.empty((bottom - top, right - left, self.shape[2]), self.dtype)
        descriptor = self._file.fileno()
        for row in range(top, bottom):
            place = (row * self.shape[1] + left) * self._pixel
            wanted = (right - left) * self._pixel
            raw = os.pread(descriptor, wanted, place)
            if len(raw) != wanted:
                raise OSError("the scratch file is shorter than what was written to it")
            out[row - top] = np.frombuffer(raw, self.dtype).reshape(right - left, self.shape[2])
        return out

    def close(self) -> None:
        """Gives the room back."""
        self._file.close()


@contextmanager
def unpacked(large: Large, folder: Path) -> Iterator[Scratch]:
    """All pixels of a picture on disk in ``folder``: it is read to its end before anything is done with it.

    Raises:
        ImageError: the file is damaged or cut off. OSError: no room for its pixels.
    """
    scratch = Scratch(folder, large.shape, large.about.pixels.dtype)
    try:
        with opened(large.path) as file:
            for _, values in Rows(file, large.kind).bands():
                scratch.append(values)
            if large.kind == "JPEG":
                height, width, _ = large.shape
                last = scratch.read(height - 1, height, width - 1, width)[0, 0]
                check_end(file, last, lambda top, count: scratch.read(top, top + count, 0, width))
        yield scratch
    finally:
        scratch.close()
