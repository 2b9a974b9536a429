"""What is special about JPEG: tables that do not coarsen a restored picture, and pictures cut off inside."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import IO

import numpy as np
from PIL import Image, JpegImagePlugin

from restore.errors import ImageError
from restore.files.exif import lying
from restore.files.rows import equal_rows

# A source coarser than this is written finer than it came: its artefacts have just been taken away.
LEAST_QUALITY = 92


def tables_of(image: Image.Image) -> tuple[tuple[tuple[int, ...], ...] | None, int | None]:
    """The quantisation tables and the chroma subsampling (0, 1, 2; None: another one) of an open JPEG."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return None, None
    sampling = JpegImagePlugin.get_sampling(image) if image.mode in ("RGB", "YCbCr") else 0
    return tuple(tuple(tables[key]) for key in sorted(tables)), sampling if sampling in (0, 1, 2) else None


def finest(tables: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    """``tables``, nowhere coarser than those of quality 92."""
    least = _tables_at(LEAST_QUALITY)
    return [
        [min(pair) for pair in zip(table, least[min(i, len(least) - 1)], strict=True)]
        for i, table in enumerate(tables)
    ]


def nearest_quality(tables: tuple[tuple[int, ...], ...]) -> int:
    """The quality, 1 to 100, whose luma table in libjpeg is nearest to the one of ``tables``."""

    def distance(quality: int) -> int:
        return sum(abs(a - b) for a, b in zip(_tables_at(quality)[0], tables[0], strict=True))

    return min(range(1, 101), key=distance)


def check_complete(file: IO[bytes], pixels: np.ndarray, orientation: int) -> None:
    """Refuses a JPEG whose data ends early although its end marker is there: decoders fill up with grey.

    Where the last pixel is mid-grey, bytes are put in before the end marker. A decoder that had
    everything never looks at them; one that was short of data decodes another picture.

    Args:
        file: the file.
        pixels: what was decoded, upright. ``orientation``: of the file.

    Raises:
        ImageError: the data ends early.
    """
    rows = lying(pixels, orientation)
    check_end(file, rows[-1, -1], lambda top, count: rows[top : top + count])


def check_end(file: IO[bytes], last: np.ndarray, rows: Callable[[int, int], np.ndarray]) -> None:
    """:func:`check_complete` by the last pixel, as it lies in the file, and ``rows(top, count)`` that were decoded.

    Raises:
        ImageError: the data ends early.
    """
    # A little off, as chroma is smoothed over the edge of the part that is there.
    if int(np.abs(last.astype(np.int16) - 128).max()) > 4:
        return
    file.seek(0)
    data = file.read()
    end = data.rfind(b"\xff\xd9")
    probe = data[:end] + b"\x55" * 64 + data[end:]
    del data
    if not equal_rows(probe, "JPEG", rows):
        raise ImageError("the picture data ends early", hint="copy the file again from where it came")


@functools.cache
def _tables_at(quality: int) -> list[tuple[int, ...]]:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    file.seek(0)
    with Image.open(file) as image:
        tables = tables_of(image)[0]
    assert tables is not None
    return list(tables)
