"""The segments of a JPEG that tell about its picture: XMP, Photoshop's resources, comments, and anybody's own.

Sources: ITU-T T.81, B.1.1 (markers); XMP specification part 3, 1.1.3; CIPA DC-007 (multi-picture format);
ISO 21496-1 (gain maps); C2PA 2.1, A.3.1 (content credentials).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from restore.files.metadata import Metadata
from restore.files.xmp import JPEG_EXTENSION, JPEG_PREFIX, stand_upright

LONGEST = 65533
_COM, _APP0, _APP1, _APP2, _APP8, _APP11, _APP13, _APP14, _APP15 = (
    0xFE, 0xE0, 0xE1, 0xE2, 0xE8, 0xEB, 0xED, 0xEE, 0xEF,
)  # fmt: skip
PHOTOSHOP = b"Photoshop 3.0\0"
_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
# What tells how this file is stored and no other, or is written by the encoder: (marker, beginning).
_STORAGE = (
    (_APP0, b"JFIF\0"), (_APP0, b"JFXX\0"), (_APP1, b"Exif\0"), (_APP2, b"ICC_PROFILE\0"), (_APP2, b"MPF\0"),
    (_APP2, _GAIN_MAP), (_APP8, b"SPIFF\0"), (_APP14, b"Adobe"),
)  # fmt: skip
CREDENTIALS, GAIN_MAP, VIDEO = "content credentials (C2PA)", "a gain map (HDR)", "a video (motion photo)"


def read_segments(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of every segment before the picture data; ends where the file is damaged."""
    file.seek(2)
    while lead := file.read(1):
        if lead != b"\xff":
            continue
        while (marker := file.read(1)) == b"\xff":
            pass
        if not marker or marker in b"\xda\xd9":
            return
        if marker == b"\0" or 0xD0 <= marker[0] <= 0xD8 or marker == b"\x01":
            continue
        size = file.read(2)
        if len(size) < 2 or (length := struct.unpack(">H", size)[0]) < 2:
            return
        body = file.read(length - 2)
        if len(body) < length - 2:
            return
        yield marker[0], body


def read_metadata(file: IO[bytes]) -> tuple[Metadata, int | None]:
    """What the segments tell, and the orientation that the XMP tells (None: none)."""
    xmp, orientation, photoshop = None, None, b""
    comments: list[bytes] = []
    others: list[tuple[int, bytes]] = []
    left: list[str] = []
    for marker, body in read_segments(file):
        if marker == _COM:
            comments.append(body)
        elif marker == _APP1 and body.startswith(JPEG_PREFIX):
            told, packet = stand_upright(body[len(JPEG_PREFIX) :])
            if xmp is None:
                xmp, orientation = packet, told
            else:
                others.append((marker, JPEG_PREFIX + packet))
        elif marker == _APP13 and body.startswith(PHOTOSHOP):
            photoshop += body[len(PHOTOSHOP) :]
        elif marker == _APP11:
            left.append(
                CREDENTIALS if b"c2pa" in body or b"jumb" in body else "what is in its APP11 segments"
            )
        elif marker == _APP2 and body.startswith(_GAIN_MAP):
            left.append(GAIN_MAP)
        elif _APP0 <= marker <= _APP15 and not any(marker == m and body.startswith(b) for m, b in _STORAGE):
            others.append((marker, body))
    if xmp and (b"http://ns.adobe.com/hdr-gain-map/1.0/" in xmp or b"HDRGainMap" in xmp):
        left.append(GAIN_MAP)
    if xmp and any(key + quote + b"1" in xmp for key in _MOTION for quote in (b'="', b"='", b">")):
        left.append(VIDEO)
    told_all = Metadata(
        xmp=xmp, photoshop=photoshop or None, comments=tuple(comments), segments=tuple(others)
    )
    return told_all.leaves(*left), orientation


_MOTION = (b"MotionPhoto", b"MicroVideo")


def pack_segments(metadata: Metadata, texts: tuple[bytes, ...] = ()) -> bytes:
    """The segments as they stand in a file; what is too long for one is left out.

    Args:
        texts: further comments.
    """
    parts: list[bytes] = []
    if metadata.xmp is not None and fits(metadata.xmp):
        parts.append(_segment(_APP1, JPEG_PREFIX + metadata.xmp))
    parts += [_segment(marker, body) for marker, body in metadata.segments]
    step = LONGEST - len(PHOTOSHOP)
    resources = metadata.photoshop or b""
    parts += [
        _segment(_APP13, PHOTOSHOP + resources[start : start + step])
        for start in range(0, len(resources), step)
    ]
    parts += [_segment(_COM, text) for text in (*metadata.comments, *texts) if len(text) <= LONGEST]
    return b"".join(parts)


def fits(xmp: bytes) -> bool:
    """Whether a packet goes into one segment."""
    return len(xmp) <= LONGEST - len(JPEG_PREFIX)


def has_extension(metadata: Metadata) -> bool:
    """Whether a part of the XMP is in segments of its own."""
    return any(body.startswith(JPEG_EXTENSION) for _, body in metadata.segments)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
