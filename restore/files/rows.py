"""Pictures read from top to bottom, never whole in memory: PNG, JPEG and TIFF, by libvips.

Its decoders give the same values as those of Pillow and tifffile, which read what is smaller.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from restore.errors import ImageError
from restore.files.exif import upright
from restore.files.raster import Planes

_BAND_BYTES = 1 << 24
_DTYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_LOADERS = {"PNG": "pngload_source", "JPEG": "jpegload_source", "TIFF": "tiffload_source"}


class Rows:
    """The rows of a picture, from the top down, once.

    Attributes:
        width, height: as they lie in the file.
        channels: of colour, 1 or 3. ``fourth``: what comes after them: ``"alpha"``, ``"black"`` (inks, as in the
            file) or nothing.
        dtype: uint8, uint16 or float32.

    Raises:
        ImageError: pixels with no reading as grey, RGB or CMYK.
    """

    def __init__(self, file: IO[bytes] | bytes, kind: str) -> None:
        vips = _vips()
        if isinstance(file, bytes):
            self._source = vips.Source.new_from_memory(file)
        else:
            self._places = _Places(file)
            self._source = self._places.source
        load = getattr(vips.Image, _LOADERS[kind])
        self._image = _in_words(lambda: load(self._source, access="sequential", fail_on="truncated"))
        self._region = vips.Region.new(self._image)
        self.width, self.height = int(self._image.width), int(self._image.height)
        bands, inks = int(self._image.bands), self._image.interpretation == "cmyk"
        if bands not in (1, 2, 3, 4) or self._image.format not in _DTYPES or (inks and bands != 4):
            raise ImageError(
                f"expected grey, RGB or CMYK, got {bands} x {self._image.format}", hint="convert it to RGB"
            )
        self.channels = 1 if bands < 3 else 3
        self.fourth = "black" if inks else "alpha" if bands in (2, 4) else ""
        self.dtype = np.dtype(_DTYPES[self._image.format])
        self.next = 0

    @property
    def samples(self) -> int:
        """Values of a pixel, those of ``fourth`` included."""
        return self.channels + bool(self.fourth)

    def read(self, count: int) -> np.ndarray:
        """The next rows, ``count x W x samples``; fewer at the end.

        Raises:
            ImageError: the file is damaged or cut off.
        """
        count = min(count, self.height - self.next)
        raw = _in_words(lambda: self._region.fetch(0, self.next, self.width, count))
        self.next += count
        return np.frombuffer(raw, self.dtype).reshape(count, self.width, self.samples)

    def bands(self) -> Iterator[tuple[int, np.ndarray]]:
        """All that is left: the number of a row, and some rows from there on."""
        count = max(1, _BAND_BYTES // (self.width * self.samples * self.dtype.itemsize))
        while self.next < self.height:
            top = self.next
            yield top, self.read(count)


def read_planes(file: IO[bytes], kind: str, orientation: int) -> Planes:
    """``(pixels, alpha, black)``, stood upright, with one copy in memory; see :class:`restore.files.Picture`.

    Raises:
        ImageError: as :class:`Rows`.
    """
    rows = Rows(file, kind)
    pixels, into = upright((rows.height, rows.width, rows.channels), rows.dtype, orientation)
    fourth, beside = None, None
    if rows.fourth:
        fourth, beside = upright((rows.height, rows.width), rows.dtype, orientation)
    for top, values in rows.bands():
        if rows.fourth == "black":
            values = (255 if rows.dtype == np.uint8 else 65535) - values
        into[top : top + len(values)] = values[:, :, : rows.channels]
        if beside is not None:
            beside[top : top + len(values)] = values[:, :, rows.channels]
    return (pixels, None, fourth) if rows.fourth == "black" else (pixels, fourth, None)


def equal_rows(file: IO[bytes] | bytes, kind: str, expected: Callable[[int, int], np.ndarray]) -> bool:
    """Whether a file has the pixels ``expected(top, count)`` (as they lie in it), alpha and black left aside."""
    rows = Rows(file, kind)
    for top, values in rows.bands():
        colours = values[:, :, : rows.channels]
        if rows.fourth == "black":
            colours = 255 - colours
        if not np.array_equal(expected(top, len(values)), colours):
            return False
    return True


class _Places:
    """A file as a source for libvips that leaves the position of its descriptor alone: buffers rely on it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._at = 0
        self._size = os.fstat(self._descriptor).st_size
        self.source: Any = _vips().SourceCustom()
        self.source.on_read(self._read)
        self.source.on_seek(self._seek)

    def _read(self, size: int) -> bytes:
        data = os.pread(self._descriptor, size, self._at)
        self._at += len(data)
        return data

    def _seek(self, offset: int, whence: int) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at


def _vips() -> Any:
    import pyvips

    pyvips.cache_set_max(0)  # a file may have changed since
    return pyvips


def _in_words(call: Any) -> Any:
    import pyvips

    try:
        return call()
    except pyvips.Error as error:
        said = " ".join(str(error.detail or error.message).split())
        raise ImageError(
            f"the file is damaged or cut off ({said})", hint="copy it again from where it came"
        ) from error
