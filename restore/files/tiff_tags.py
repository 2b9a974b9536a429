"""What a TIFF tells about its picture, as an EXIF block and back: an EXIF block is itself a small TIFF.

Source: EXIF 2.32 (JEITA CP-3451), 4.6.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

import tifffile
from PIL import Image

from restore.files.exif import split_orientation

_EXIF, _GPS = 34665, 34853
# tifffile writes neither of the two. Unused tags beside them keep their places, and their order.
_PLACES = {_EXIF: 34664, _GPS: 34852}
# Tags of the first directory that tell about the picture and not about its storage.
_TOLD = (269, 270, 271, 272, 305, 306, 315, 316, 18246, 33432, 40091, 40092, 40093, 40094, 40095)
# What Pillow raises for damaged directories. The picture is worth more than its tags: they are left out.
_DAMAGED = (ValueError, TypeError, KeyError, SyntaxError, struct.error, OSError, ZeroDivisionError)


def read_tags(file: IO[bytes]) -> tuple[bytes | None, tuple[float, float] | None]:
    """What the directories tell about the picture, as an EXIF block, and its pixels per inch."""
    try:
        source, told = Image.Exif(), Image.Exif()
        file.seek(0)
        source.load_from_fp(file)
        for tag in _TOLD:
            if tag in source:
                told[tag] = source[tag]
        for directory in (_EXIF, _GPS):
            if values := source.get_ifd(directory):
                told.get_ifd(directory).update(values)
                told[directory] = values
        unit = {2: 1.0, 3: 2.54}.get(source.get(296, 2))
        dpi = None
        if unit and 282 in source and 283 in source:
            dpi = (float(source[282]) * unit, float(source[283]) * unit)
        return (split_orientation(told.tobytes())[1] if len(told) else None), dpi
    except _DAMAGED:
        return None, None


def load_block(block: bytes | None) -> Image.Exif:
    """An EXIF block taken apart; empty where it is damaged."""
    exif = Image.Exif()
    try:
        if block:
            exif.load(block)
            for directory in (_EXIF, _GPS):
                exif.get_ifd(directory)
            exif.tobytes()  # what cannot be put together again cannot be written
    except _DAMAGED:
        return Image.Exif()
    return exif


def extra_tags(exif: Image.Exif) -> list[tuple[int, str, int, Any, bool]]:
    """Tags as tifffile writes them, with places left for the EXIF and GPS directories."""
    tags: list[tuple[int, str, int, Any, bool]] = []
    for tag in _TOLD:
        value = exif.get(tag)
        if isinstance(value, str):
            text = value.encode("utf-8", "replace") + b"\0"
            tags.append((tag, "s", len(text), text, True))
        elif isinstance(value, bytes):
            tags.append((tag, "B", len(value), value, True))
        elif isinstance(value, int):
            tags.append((tag, "H", 1, value & 0xFFFF, True))
    return tags + [(_PLACES[d], "I", 1, 0, True) for d in (_EXIF, _GPS) if exif.get_ifd(d)]


def append_directories(path: Path, exif: Image.Exif) -> None:
    """Puts the EXIF and GPS directories at the end of the file and their places into its first directory."""
    if not any(exif.get_ifd(directory) for directory in (_EXIF, _GPS)):
        return
    with path.open("r+b") as file, tifffile.TiffFile(file, mode="r+") as tiff:
        if tiff.is_bigtiff:
            return
        tags = tiff.pages.first.tags
        end = (file.seek(0, 2) + 1) // 2 * 2
        exif.endian = tiff.byteorder
        # Offsets count from `end`, as if the whole block, without its 6 + 8 bytes of header, began there.
        block = exif.tobytes(end)[14:]
        file.seek(end)
        file.write(block)
        (count,) = struct.unpack_from(tiff.byteorder + "H", block)
        for entry in range(2, 2 + 12 * count, 12):
            (tag,) = struct.unpack_from(tiff.byteorder + "H", block, entry)
            if tag in _PLACES and _PLACES[tag] in tags:
                file.seek(tags[_PLACES[tag]].offset)
                file.write(block[entry : entry + 12])
