"""16-bit PNG: Pillow reads its colour as 8 bits and writes only grey, OpenCV drops colour profiles and tags.

Sources: PNG (W3C, third edition): 5 (chunks), 9 (filters), 11 (chunk contents), 12.7 (choice of filters).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import IO

import cv2
import numpy as np

from restore.errors import ImageError
from restore.files.exif import turn
from restore.files.limits import check_pixels
from restore.files.raster import Planes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BAND_BYTES = 1 << 21
_CHUNKS = 4096
# Bytes that one byte of deflate can stand for, a little more than the 1032 it can (RFC 1951).
_DEFLATE = 1040
_AGAIN = "copy it again from where it came"
# First column and row of each pass, and the steps between them (8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def read_chunks(file: IO[bytes]) -> dict[bytes, bytes]:
    """The chunks before the pixels by name, without those above 64 KB; of several of a name, the first."""
    file.seek(len(SIGNATURE))
    chunks: dict[bytes, bytes] = {}
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name == b"IDAT":
            break
        if size <= 1 << 16:
            chunks.setdefault(name, file.read(size))
            size = 0
        file.seek(size + 4, 1)
    return chunks


def count_chunks(file: IO[bytes]) -> None:
    """Refuses a PNG in thousands of tiny chunks, each of which decoders take apart by itself.

    Raises:
        ImageError: more than 4096 chunks of less than a kilobyte on average.
    """
    at, count = file.seek(len(SIGNATURE)), 0
    while len(head := file.read(8)) == 8:
        at, count = file.seek(int.from_bytes(head[:4], "big") + 4, 1), count + 1
        if count > _CHUNKS and at < count * 1024:
            raise ImageError(f"it has more than {_CHUNKS} tiny chunks", hint="save it again")


def check_compression(file: IO[bytes], length: int) -> None:
    """Refuses a PNG whose pixels do not fit into its data even if deflate had made the most of each byte.

    Raises:
        ImageError: the header claims more.
    """
    header = read_chunks(file).get(b"IHDR", b"")
    if len(header) < 13:
        return
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    check_pixels(height * (width * samples * depth / 8 + 1), _DEFLATE * length, length)


def is_deep(file: IO[bytes]) -> bool:
    """Whether the header says 16 bits a sample."""
    return read_chunks(file).get(b"IHDR", bytes(9))[8] == 16


def check_pixel_chunks(file: IO[bytes]) -> None:
    """Refuses a PNG whose pixel data does not match its checksums (5.3); decoders differ in what they notice.

    Raises:
        ImageError: damaged, or cut off inside the pixel data.
    """
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name != b"IDAT":
            file.seek(size + 4, 1)
            continue
        found = zlib.crc32(head[4:])
        for left in range(size, 0, -_BAND_BYTES):
            body = file.read(min(left, _BAND_BYTES))
            if len(body) < min(left, _BAND_BYTES):
                raise ImageError("the file is cut off", hint=_AGAIN)
            found = zlib.crc32(body, found)
        checksum = file.read(4)
        if checksum and checksum != struct.pack(">I", found):
            raise ImageError("the file is damaged (a checksum does not match)", hint=_AGAIN)


def read_png16(file: IO[bytes], chunks: dict[bytes, bytes], orientation: int) -> Planes:
    """``(pixels, alpha, None)`` of a 16-bit PNG of any colour type, upright.

    Raises:
        ImageError: the data is damaged or cut off.
    """
    array = cv2.imdecode(np.frombuffer(_essential(file), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16:
        raise ImageError("the file is damaged or cut off", hint=_AGAIN)
    colour_type = chunks[b"IHDR"][9]
    array = array[:, :, None] if array.ndim == 2 else array
    channels = 3 if colour_type & 2 else 1
    alpha = array[:, :, 3] if colour_type & 4 else None
    if channels == 1:
        pixels = array[:, :, :1]
    elif array.shape[2] == 4:
        pixels = cv2.cvtColor(array, cv2.COLOR_BGRA2RGB)
    else:
        pixels = cv2.cvtColor(array, cv2.COLOR_BGR2RGB, dst=array)
    if alpha is None and len(chunks.get(b"tRNS", b"")) >= 2 * channels:
        key = struct.unpack_from(f">{channels}H", chunks[b"tRNS"])
        alpha = np.where((pixels == np.array(key, np.uint16)).all(2), np.uint16(0), np.uint16(65535))
    return turn(pixels, orientation), None if alpha is None else turn(alpha, orientation), None


def _check_rows(data: bytes, header: bytes) -> None:
    """Refuses rows that are not all there or have an unknown filter: libpng would print that.

    Args:
        data: the body of every pixel chunk, joined. ``header``: the body of ``IHDR``.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    squeeze = zlib.decompressobj()
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns < 1 or rows < 1:
            continue
        step = 1 + (columns * bits + 7) // 8
        band = max(1, _BAND_BYTES // step)
        for first in range(0, rows, band):
            wanted = step * min(band, rows - first)
            parts = []
            while wanted and (part := squeeze.decompress(squeeze.unconsumed_tail or data, wanted)):
                parts.append(part)
                wanted -= len(part)
                data = b""
            filters = b"".join(parts)[::step]
            if wanted or max(filters) > 4:
                raise ImageError("the file is damaged or cut off", hint=_AGAIN)


def _essential(file: IO[bytes]) -> bytes:
    """The file without what the pixels do not need: libpng prints what it thinks of that."""
    file.seek(len(SIGNATURE))
    parts = [SIGNATURE]
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name == b"IHDR" and len(parts) > 1:
            raise ImageError("the file is damaged (two headers)", hint=_AGAIN)
        if name in (b"IHDR", b"IDAT"):
            parts += [head, file.read(size + 4)]
        else:
            file.seek(size + 4, 1)
    bodies = b"".join(
        part[:-4] for head, part in zip(parts[1::2], parts[2::2], strict=True) if head[4:] == b"IDAT"
    )
    _check_rows(bodies, parts[2][:13])
    end = b"IEND"
    return b"".join([*parts, struct.pack(">I", 0), end, struct.pack(">I", zlib.crc32(end))])


def write_png16(file: IO[bytes], array: np.ndarray, chunks: list[tuple[bytes, bytes]]) -> None:
    """Writes uint16 ``H x W x C``, C = 1 (grey), 2 (grey, alpha), 3 or 4, with ``chunks`` before the pixels."""
    for part in png_parts([array], array.shape, array.dtype, chunks):
        file.write(part)


def png_parts(
    bands: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    chunks: list[tuple[bytes, bytes]],
    *,
    level: int = 6,
) -> Iterator[bytes]:
    """A PNG of ``shape`` (height, width, C = 1 to 4) and ``dtype`` (uint8 or uint16) from bands of its rows.

    Each row takes the filter whose residuals have the smallest sum. Memory is bounded by a band.

    Args:
        level: of deflate; 0 neither filters nor compresses.
    """
    height, width, channels = shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    yield SIGNATURE
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * dtype.itemsize, colour_type, 0, 0, 0))
    for name, body in chunks:
        yield _chunk(name, body)
    squeeze = zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    for rows in _filtered(bands, width * channels, channels * dtype.itemsize, plain=level == 0):
        if data := squeeze.compress(rows):
            yield _chunk(b"IDAT", data)
    yield _chunk(b"IDAT", squeeze.flush())
    yield _chunk(b"IEND", b"")


def insert_chunks(file: IO[bytes], png: memoryview, chunks: list[tuple[bytes, bytes]]) -> None:
    """Writes a finished PNG with further chunks right behind its header."""
    head = len(SIGNATURE) + 4 + 4 + 13 + 4  # IHDR comes first and has 13 bytes
    file.write(png[:head])
    for name, body in chunks:
        _put(file, name, body)
    file.write(png[head:])


def icc_chunk(icc: bytes) -> tuple[bytes, bytes]:
    """A profile as its chunk."""
    return b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)


def dpi_chunk(dpi: tuple[float, float]) -> tuple[bytes, bytes]:
    """Pixels per inch as a chunk, which counts pixels per metre."""
    return b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in dpi), 1)


def _put(file: IO[bytes], name: bytes, body: bytes) -> None:
    file.write(_chunk(name, body))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _filtered(bands: Iterable[np.ndarray], samples: int, step: int, *, plain: bool) -> Iterator[bytes]:
    """The rows of ``samples`` values, ``step`` bytes a pixel, each with the number of its filter before it."""
    above: np.ndarray = np.zeros((1, 1), np.uint8)
    for array in _cut(bands):
        raw = np.ascontiguousarray(array).reshape(len(array), samples)
        raw = raw.astype(">u2").view(np.uint8) if raw.dtype == np.uint16 else raw
        if plain:
            yield np.pad(raw, ((0, 0), (1, 0))).tobytes()
            continue
        above = above if above.shape[1] == raw.shape[1] else np.zeros((1, raw.shape[1]), np.uint8)
        up = np.concatenate([above, raw[:-1]])
        left = np.pad(raw[:, :-step], ((0, 0), (step, 0)))
        corner = np.pad(up[:, :-step], ((0, 0), (step, 0)))
        residuals = np.stack([raw - left, raw - up, raw - _paeth(left, up, corner)])
        best = np.abs(residuals.view(np.int8).astype(np.int16)).sum(2, dtype=np.int64).argmin(0)
        kinds = np.array([1, 2, 4], np.uint8)[best]
        yield np.concatenate([kinds[:, None], residuals[best, np.arange(len(raw))]], 1).tobytes()
        above = raw[-1:]


def _cut(bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The same rows in bands of about two megabytes."""
    for band in bands:
        rows = max(1, _BAND_BYTES // max(1, band[0].nbytes))
        for top in range(0, len(band), rows):
            yield band[top : top + rows]


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Of the three neighbours the one nearest to left + up - corner; ties in that order."""
    a, b, c = (plane.astype(np.int16) for plane in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    pick_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(pick_left, left, np.where(to_up <= to_corner, up, corner))
