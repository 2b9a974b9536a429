"""A file made of bands of rows: PNG, TIFF and JPEG that are never whole in memory."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from restore.errors import ImageError
from restore.files.atomic import open_checked
from restore.files.encode import QUALITY, encode_whole, fit_picture, png_chunks, to_8_bits
from restore.files.jpeg import LEAST_QUALITY, nearest_quality
from restore.files.picture import Picture
from restore.files.png16 import png_parts
from restore.files.tiff_rows import write_tiff_rows

ROW_FORMATS = ("PNG", "TIFF", "JPEG")


class RowWriter:
    """Takes bands of rows from the top down, and writes them in a thread of its own.

    Args:
        path: an existing file that is written over.
        about: what belongs to the picture beside its pixels; its own are a single one.
        shape: height, width and channels.
        quality: of JPEG; None: as fine as the source, but at least 92. Its tables are libjpeg's own.

    Raises:
        ImageError: a format that is not written by rows, or that cannot hold the pixels.
    """

    def __init__(
        self,
        path: Path,
        about: Picture,
        kind: str,
        shape: tuple[int, int, int],
        *,
        quality: int | None = None,
    ) -> None:
        if kind not in ROW_FORMATS:
            raise ImageError(
                f"{kind} of this size cannot be written band by band",
                hint=f"--format {ROW_FORMATS[1].lower()}",
            )
        self._fitted = fit_picture(about, kind)
        self._less = about.pixels.dtype == np.uint16 and self._fitted.pixels.dtype == np.uint8
        self._bands: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=1)
        self._failed: BaseException | None = None
        self._whole = False
        arguments = (path, self._fitted, kind, shape, quality)
        self._thread = threading.Thread(target=self._encode, args=arguments, name="encoder", daemon=True)
        self._thread.start()

    def write(self, rows: np.ndarray) -> None:
        """The next rows, of the dtype that was told.

        Raises:
            OSError, ImageError: the file cannot be written.
        """
        self._put(to_8_bits(rows) if self._less else rows)

    def finish(self) -> None:
        """Waits until everything is written.

        Raises:
            OSError, ImageError: the file cannot be written.
        """
        self._whole = True
        self._put(None)
        self._thread.join()
        self._check()

    def drop(self) -> None:
        """Ends it early; the file is of no use."""
        while self._thread.is_alive():
            try:
                self._bands.put(None, timeout=0.1)
                self._thread.join(0.1)
            except queue.Full:
                continue

    def _put(self, rows: np.ndarray | None) -> None:
        while True:
            self._check()
            try:
                return self._bands.put(rows, timeout=0.2)
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _rows(self) -> Iterator[np.ndarray]:
        while (rows := self._bands.get()) is not None:
            yield rows
        if not self._whole:
            raise ImageError("the picture was not finished")

    def _encode(
        self, path: Path, about: Picture, kind: str, shape: tuple[int, int, int], quality: int | None
    ) -> None:
        try:
            if kind == "TIFF":
                write_tiff_rows(path, self._rows(), shape, about)
                return
            with open_checked(path) as file:
                if kind == "PNG":
                    for part in png_parts(self._rows(), shape, about.pixels.dtype, png_chunks(about)):
                        file.write(part)
                else:
                    _write_jpeg(file, self._rows(), shape, about, quality)
        except BaseException as error:
            self._failed = error


def _write_jpeg(
    file: IO[bytes],
    bands: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    about: Picture,
    quality: int | None,
) -> None:
    """By libvips, which takes the rows as an uncompressed PNG; the segments before the tables are Pillow's."""
    import pyvips

    if quality is None:
        quality = QUALITY if not about.tables else max(LEAST_QUALITY, nearest_quality(about.tables))
    source = _PullSource(png_parts(bands, shape, about.pixels.dtype, [], level=0))
    target = _HeadTarget(file, _segments_before_tables(about))
    image = None
    try:
        image = pyvips.Image.pngload_source(source.source, access="sequential", fail_on="error")
        subsampled = shape[2] == 3 and (about.subsampling or 0) == 2
        mode = "on" if subsampled else "off"
        image.jpegsave_target(
            target.target, Q=quality, subsample_mode=mode, keep="none", optimize_coding=False
        )
    except pyvips.Error as error:
        raise ImageError(f"JPEG does not take it ({' '.join(str(error).split())})") from (
            source.failed or target.failed or error
        )
    finally:
        for failed in (source.failed, target.failed):
            if failed is not None:
                raise failed


def _segments_before_tables(about: Picture) -> bytes:
    """What Pillow writes of this picture before its quantisation tables."""
    memory = io.BytesIO()
    encode_whole(memory, about, "JPEG", None, ".jpg")
    data = memory.getvalue()
    return data[: _tables_at(data)]


def _tables_at(data: bytes | bytearray) -> int:
    """Where the first segment begins that is neither an application's nor a comment; -1: not there yet."""
    at = 2
    while len(data) >= at + 4:
        marker = data[at + 1]
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            return at
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return -1


class _PullSource:
    """A source for libvips that takes its bytes from an iterator; ``failed`` is what that raised."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        import pyvips

        self.failed: BaseException | None = None
        self._parts, self._left = parts, b""
        self.source: Any = pyvips.SourceCustom()
        self.source.on_read(self._read)

    def _read(self, size: int) -> bytes:
        try:
            while not self._left:
                self._left = next(self._parts)
        except StopIteration:
            return b""
        except BaseException as error:
            self.failed = error
            return b""
        data, self._left = self._left[:size], self._left[size:]
        return data


class _HeadTarget:
    """A target for libvips that puts ``head`` in the place of its own first segments."""

    def __init__(self, file: IO[bytes], head: bytes) -> None:
        import pyvips

        self.failed: BaseException | None = None
        self._file, self._head, self._begun = file, head, bytearray()
        self.target: Any = pyvips.TargetCustom()
        self.target.on_write(self._write)

    def _write(self, data: Any) -> int:
        try:
            if self.failed is None:
                self._pass_on(bytes(data))
        except BaseException as error:
            self.failed = error
        return len(data)

    def _pass_on(self, data: bytes) -> None:
        if self._head:
            self._begun += data
            at = _tables_at(self._begun)
            if at < 0:
                return
            data, self._head = self._head + bytes(self._begun[at:]), b""
        self._file.write(data)
