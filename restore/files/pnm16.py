"""16-bit PGM and PPM, which Pillow reads as 8 bits in colour. Source: Netpbm's pgm(5) and ppm(5)."""

from __future__ import annotations

import re
from typing import IO, NamedTuple

import numpy as np

from restore.errors import ImageError
from restore.files.raster import Planes

_BAND = 1 << 20
_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"(P[2356])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)(?:#[^\n]*\n)?\s")


class Header(NamedTuple):
    """What stands before the samples; ``offset`` is where they begin."""

    kind: str
    width: int
    height: int
    largest: int
    offset: int


def read_header(file: IO[bytes]) -> Header | None:
    """The header of a P2, P3, P5 or P6 file, None for anything else."""
    file.seek(0)
    match = _HEADER.match(file.read(1 << 12))
    if match is None:
        return None
    return Header(match[1].decode(), int(match[2]), int(match[3]), int(match[4]), match.end())


def read_pnm16(file: IO[bytes], header: Header) -> Planes:
    """``(pixels, None, None)`` of a file whose largest value is above 255, stretched to 65535.

    Raises:
        ImageError: fewer samples than the header says, or one above the largest value.
    """
    channels = 3 if header.kind in ("P3", "P6") else 1
    count = header.width * header.height * channels
    _check_length(file, header, count)
    file.seek(header.offset)
    if header.kind in ("P5", "P6"):
        raw = file.read(2 * count)
        values: np.ndarray = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype(np.uint16)
    else:
        values = np.array(file.read().split()[:count], dtype=np.uint32)
    if len(values) != count:
        raise ImageError("the file is cut off", hint="copy it again from where it came")
    if values.max() > header.largest:
        raise ImageError(f"expected samples up to {header.largest}, got {values.max()}")
    if header.largest < 65535:
        stretched = (values.astype(np.uint64) * 131070 + header.largest) // (2 * header.largest)
        values = stretched.astype(np.uint16)
    pixels = values.astype(np.uint16, copy=False).reshape(header.height, header.width, channels)
    return pixels, None, None


def _check_length(file: IO[bytes], header: Header, count: int) -> None:
    """Refuses a file too short for its samples (two bytes each, as text a digit and a gap) before any is read."""
    if file.seek(0, 2) - header.offset + 1 < 2 * count:
        raise ImageError("the file is cut off", hint="copy it again from where it came")


def write_pnm16(file: IO[bytes], pixels: np.ndarray) -> None:
    """Writes uint16 ``H x W x C`` as a binary PGM (C = 1) or PPM (C = 3)."""
    height, width, channels = pixels.shape
    file.write(f"P{6 if channels == 3 else 5}\n{width} {height}\n65535\n".encode())
    rows = max(1, _BAND // (width * channels))
    for top in range(0, height, rows):
        file.write(pixels[top : top + rows].astype(">u2").tobytes())
