"""What a TIFF tells about its picture, as an EXIF block, XMP and tags as they came; and back.

Sources: EXIF 2.32 (JEITA CP-3451), 4.6; GeoTIFF 1.1 (OGC 19-008r4), 7.1 (tags); Photoshop TIFF technical notes (Adobe,
2002); ImageJ's ``TiffEncoder``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import tifffile

from restore.files import imagej
from restore.files.directories import (
    EXIF,
    GPS,
    INTEROP,
    Entry,
    follow,
    number_of,
    pack_block,
    pack_directories,
    read_block,
    read_directory,
)
from restore.files.exif import split_orientation
from restore.files.metadata import Metadata
from restore.files.photoshop import iptc_of, with_iptc
from restore.files.xmp import stand_upright

# tifffile writes neither of the two. Unused tags beside them keep their places, and their order.
_PLACES = {EXIF: 34664, GPS: 34852}
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_XMP, IPTC_TAG, _PHOTOSHOP, _ICC, _LAYERS = 700, 33723, 34377, 34675, 37724
DESCRIPTION = 270
# Tags of the first directory that an EXIF block has as well.
_SHARED = (269, 270, 271, 272, 305, 306, 315, 316, 18246, 18249, 33432, 40091, 40092, 40093, 40094, 40095)
# How the pixels are stored, and what is told in a place of its own: never carried on as they are.
# fmt: off
_STORAGE = frozenset((
    *range(254, 269), 273, 274, *range(277, 285), *range(288, 294), 296, 297, 301, 317, *range(320, 329), 330, 332,
    334, 336, *range(338, 342), *range(343, 348), 351, 400, 435, *range(512, 522), *range(529, 533), 559,
    _XMP, _PHOTOSHOP, _ICC, _LAYERS, EXIF, GPS, INTEROP, *range(32995, 32999), *_PLACES.values(),
))
# fmt: on
# GeoTIFF: size of a pixel, places of pixels, and the matrix from pixels to places.
_PIXEL_SCALE, _TIE_POINTS, _TRANSFORMATION = 33550, 33922, 34264
GEO_TAGS = (_PIXEL_SCALE, _TIE_POINTS, _TRANSFORMATION, 34735, 34736, 34737)


@dataclass(frozen=True)
class Told:
    """What the tags of a TIFF tell; ``dpi`` as the file lies, ``orientation`` that its XMP tells."""

    exif: bytes | None
    dpi: tuple[float, float] | None
    metadata: Metadata
    orientation: int | None


def read_tags(file: IO[bytes]) -> Told:
    """Everything the first directory tells; damaged tags are left out, the picture is worth more."""
    file.seek(0)
    head = file.read(16)
    order, big = "<" if head[:2] == b"II" else ">", head[2:4] in (b"+\0", b"\0+")
    start = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
    first = read_directory(file, start, order, big=big)
    inner = follow(file, first, order, big=big)
    shared = {tag: first[tag] for tag in _SHARED if tag in first}
    exif = split_orientation(pack_block({**inner, 0: shared}))[1]
    orientation, xmp = stand_upright(first[_XMP].data) if _XMP in first else (None, None)
    photoshop = first[_PHOTOSHOP].data if _PHOTOSHOP in first else None
    if order == ">" and imagej.DATA in first:
        turned = imagej.as_little_endian(first)
        first = (
            first | {imagej.DATA: turned} if turned else {t: e for t, e in first.items() if t != imagej.DATA}
        )
    tags = [e for tag, e in first.items() if tag not in _STORAGE and tag not in shared]
    metadata = Metadata(xmp=xmp, photoshop=photoshop, tags=tuple(tags))
    dpi, unit = None, number_of(first.get(_UNIT)) or 2
    x, y = _rational(first.get(_X_RESOLUTION)), _rational(first.get(_Y_RESOLUTION))
    if x and y and unit in (2, 3):
        dpi = tuple(n / d * (1.0 if unit == 2 else 2.54) for n, d in (x, y))
    elif x and y:
        metadata = Metadata(xmp=xmp, photoshop=photoshop, tags=tuple(tags), resolution=(x, y))
    if _LAYERS in first:
        metadata = metadata.leaves("layers of Photoshop")
    return Told(exif, (dpi[0], dpi[1]) if dpi else None, metadata, orientation)


def extra_tags(
    exif: bytes | None, metadata: Metadata, size: tuple[int, int] | None = None
) -> list[tuple[int, Any, int, Any, bool]]:
    """Tags as tifffile writes them, with places left for the EXIF and GPS directories.

    Args:
        exif: the EXIF block.
        size: of the picture that is written; places in ``metadata`` are scaled to it.
    """
    found = read_block(exif)
    entries = {e.tag: e for e in _rescaled(metadata, size)}
    for tag in _SHARED:
        if tag in found.get(0, {}):
            entries[tag] = found[0][tag]
    if metadata.comments and DESCRIPTION not in entries:
        text = b"\n".join(comment.rstrip(b"\0") for comment in metadata.comments)
        entries[DESCRIPTION] = Entry(DESCRIPTION, 2, text + b"\0")
    if metadata.xmp is not None:
        entries[_XMP] = Entry(_XMP, 1, metadata.xmp)
    if metadata.photoshop is not None:
        entries[_PHOTOSHOP] = Entry(_PHOTOSHOP, 1, metadata.photoshop)
        iptc = iptc_of(metadata.photoshop)
        if iptc:
            entries.setdefault(IPTC_TAG, Entry(IPTC_TAG, 7, iptc))
    tags: list[tuple[int, Any, int, Any, bool]] = [
        (e.tag, e.kind, e.values, e.data, True) for e in entries.values()
    ]
    inner = [EXIF] if found.get(EXIF) or found.get(INTEROP) else []
    return tags + [(_PLACES[d], 4, 1, 0, True) for d in (*inner, *([GPS] if found.get(GPS) else []))]


def append_directories(path: Path, exif: bytes | None) -> None:
    """Puts the EXIF and GPS directories at the end of the file and their places into its first directory."""
    found = {tag: entries for tag, entries in read_block(exif).items() if tag}
    if not any(found.values()):
        return
    with path.open("r+b") as file, tifffile.TiffFile(file, mode="r+") as tiff:
        tags = tiff.pages.first.tags
        end = (file.seek(0, 2) + 1) // 2 * 2
        # A directory of places only, then the others; offsets count from `end`.
        block = pack_directories(found, end, big=tiff.is_bigtiff)
        file.seek(end)
        file.write(block)
        head, step = (8, 20) if tiff.is_bigtiff else (2, 12)
        (count,) = struct.unpack_from("<Q" if tiff.is_bigtiff else "<H", block)
        for at in range(head, head + step * count, step):
            (tag,) = struct.unpack_from("<H", block, at)
            if _PLACES[tag] in tags:
                file.seek(tags[_PLACES[tag]].offset)
                file.write(block[at : at + step])


def resolution_of(
    dpi: tuple[float, float] | None, metadata: Metadata, size: tuple[int, int]
) -> tuple[Any, str | None]:
    """The resolution and its unit as tifffile takes them."""
    if dpi is not None:
        return dpi, "INCH"
    if metadata.resolution is None:
        return None, None
    scale = _scale(metadata, size)
    if scale == (1.0, 1.0):
        return metadata.resolution, "NONE"
    return tuple(n / d * s for (n, d), s in zip(metadata.resolution, scale, strict=True)), "NONE"


def with_iptc_tag(metadata: Metadata) -> Metadata:
    """The same with IPTC that stands in a tag among Photoshop's resources, where other formats have it."""
    tag = next((e for e in metadata.tags if e.tag == IPTC_TAG), None)
    return metadata if tag is None else with_iptc(metadata, tag.data)


def is_imagej_stack(description: str) -> bool:
    """Whether ImageJ stored more pictures here than there are directories."""
    match = re.search(r"^images=(\d+)", description, re.MULTILINE)
    return description.startswith("ImageJ=") and match is not None and int(match[1]) > 1


def _scale(metadata: Metadata, size: tuple[int, int] | None) -> tuple[float, float]:
    before = metadata.size
    return (1.0, 1.0) if before is None or size is None else (size[0] / before[0], size[1] / before[1])


def _rescaled(metadata: Metadata, size: tuple[int, int] | None) -> Sequence[Entry]:
    """The tags, with those of GeoTIFF that count in pixels brought to ``size``."""
    x, y = _scale(metadata, size)
    if (x, y) == (1.0, 1.0):
        return metadata.tags
    factors = {
        _PIXEL_SCALE: (1 / x, 1 / y, 1.0),
        _TIE_POINTS: (x, y, 1.0, 1.0, 1.0, 1.0),
        _TRANSFORMATION: (1 / x, 1 / y, 1.0, 1.0) * 4,
    }
    entries = []
    for e in metadata.tags:
        if e.tag in factors and e.kind == 12:
            values = struct.unpack(f"<{e.values}d", e.data)
            by = factors[e.tag]
            scaled = [value * by[i % len(by)] for i, value in enumerate(values)]
            e = Entry(e.tag, e.kind, struct.pack(f"<{e.values}d", *scaled))
        entries.append(e)
    return entries


def _rational(entry: Entry | None) -> tuple[int, int] | None:
    if entry is None or entry.kind != 5 or len(entry.data) < 8:
        return None
    numerator, denominator = struct.unpack_from("<II", entry.data)
    return (numerator, denominator) if numerator and denominator else None
