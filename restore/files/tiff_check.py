"""What the directories of a TIFF promise, checked before a library walks them or makes room for them.

Source: TIFF revision 6.0 (Adobe, 1992), section 2; BigTIFF (Aware Systems, 2011).
"""

from __future__ import annotations

import lzma
import struct
import zlib
from typing import IO, Any

from restore.errors import ImageError
from restore.files.limits import BESIDE, check_pixels

_DIRECTORIES, _TAGS, _SEGMENTS = 1024, 4096, 1 << 17
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_SEGMENT_TAGS = (273, 279, 324, 325)
# The most that one byte of these can stand for, and compressions that nothing is said of.
_RATIO = {1: 1, 8: 1040, 32946: 1040, 5: 5500, 32773: 64, 34925: 10_000}
_INFLATED, _LZMA = (8, 32946), 34925
# A decoder makes room for a whole strip or tile; larger than this it is measured against the picture.
_SEGMENT = 64 << 20
_STEP = 1 << 20


def check_directories(file: IO[bytes], length: int) -> None:
    """Walks the chain of directories of a file of ``length`` bytes.

    Raises:
        ImageError: a chain without end, too many tags, tags that overlap or lie beyond the end again and again.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = len(head) == 16 and struct.unpack_from(order + "H", head, 2)[0] == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0] if len(head) == 16 else 0
    shape, entry = (("Q", "HHQQ"), 20) if big else (("H", "HHII"), 12)
    told = 0
    seen: set[int] = set()
    while 0 < at < length:
        if at in seen or len(seen) >= _DIRECTORIES:
            raise ImageError(
                f"it has more than {_DIRECTORIES} directories, or a chain of them without end",
                hint="split it into one file a page",
            )
        seen.add(at)
        file.seek(at)
        width = struct.calcsize(shape[0])
        raw = file.read(width)
        if len(raw) < width:
            return
        (count,) = struct.unpack(order + shape[0], raw)
        if count > _TAGS:
            raise ImageError(f"expected at most {_TAGS} tags, got {count}", hint="save it again")
        body = file.read(count * entry + width * 4)
        for place in range(0, min(count * entry, len(body) - entry + 1), entry):
            tag, kind, number, value = struct.unpack_from(order + shape[1], body, place)
            size = number * _SIZES.get(kind, 0)
            if size > entry - 8 >> 1 and value + size <= length:
                told += size
            if tag in _SEGMENT_TAGS and number > _SEGMENTS:
                raise ImageError(
                    f"expected at most {_SEGMENTS} strips or tiles, got {number}",
                    hint="save it with larger strips",
                )
        following = body[count * entry : count * entry + (8 if big else 4)]
        if len(following) < (8 if big else 4):
            return
        (at,) = struct.unpack(order + ("Q" if big else "I"), following)
    # Values that lie beyond the end are passed over by readers.
    if told > 2 * length:
        raise ImageError("the file is damaged (its tags are larger than the file)", hint="copy it again")


def check_segments(file: IO[bytes], page: Any, length: int) -> None:
    """Refuses a page whose strips or tiles are far larger than its picture, or cannot be in so few bytes.

    Args:
        page: tifffile's first page.

    Raises:
        ImageError: so.
    """
    bits = max(1, int(page.bitspersample)) * max(1, int(page.samplesperpixel))
    picture = page.imagewidth * page.imagelength * bits / 8
    wide, high = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.imagelength)
    if not page.is_tiled:
        high = min(high, int(page.rowsperstrip or high))
    segment = wide * high * bits / 8
    if segment > _SEGMENT + 2 * picture or segment > _SEGMENT + picture + BESIDE:
        raise ImageError(
            f"its tiles of {wide} x {high} are far larger than the picture", hint="save it with smaller tiles"
        )
    compression = int(page.compression)
    stored = sum(size for size in page.databytecounts if size > 0)
    if compression in _RATIO and len(set(page.dataoffsets)) == len(page.dataoffsets):
        check_pixels(picture, _RATIO[compression] * stored + 64, length)
    if compression in _INFLATED or compression == _LZMA:
        for start, size in zip(page.dataoffsets, page.databytecounts, strict=False):
            if compression == _LZMA or size * _RATIO[compression] > 2 * segment + _SEGMENT:
                _check_unpacked(file, compression, start, size, segment)


def _check_unpacked(file: IO[bytes], compression: int, start: int, size: int, segment: float) -> None:
    """Unpacks a segment step by step without keeping it."""
    file.seek(start)
    data = file.read(size)
    unpack: Any
    if compression == _LZMA:
        unpack = lzma.LZMADecompressor(memlimit=256 << 20)
    else:
        unpack = zlib.decompressobj()
    made = 0
    while True:
        try:
            part = unpack.decompress(data, _STEP)
        except (zlib.error, lzma.LZMAError) as error:
            raise ImageError(f"the file is damaged ({error})", hint="copy it again") from error
        made += len(part)
        if made > 1.01 * segment + 4096:
            raise ImageError("its compressed data is far larger than the picture", hint="save it again")
        data = b"" if compression == _LZMA else unpack.unconsumed_tail
        if unpack.eof or not part:
            return
