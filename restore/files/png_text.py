"""What a PNG tells about its picture: text of three kinds, XMP, and chunks that outlive a change of the pixels.

Sources: PNG (W3C, third edition): 5.4 (chunks that are safe to copy), 11.3.3 (text); XMP specification part 3, 1.1.5;
ImageMagick's "Raw profile type" texts (hexadecimal, with name and length before).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from restore.files.metadata import Metadata
from restore.files.segments import CREDENTIALS, PHOTOSHOP
from restore.files.xmp import JPEG_PREFIX, stand_upright

XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Chunks that are written from what the picture holds, or tell how this file was stored.
_OURS = (b"eXIf", b"pHYs", b"iDOT", b"orNT", b"gIFx", b"gIFg", b"gIFt")
# Not marked as safe, but true of any picture that looks alike.
_TRUE = (b"mDCV", b"cLLI", b"tIME", b"sTER", b"sCAL", b"pCAL")
# A text of a real file takes kilobytes; what unpacks to more than this is carried on packed.
_MOST = 1 << 24
# A packed text grows at most a thousandfold; Pillow takes a megabyte.
_SHORT = 1000


@dataclass(frozen=True)
class Told:
    """What the chunks of a PNG tell.

    Args:
        metadata: to be carried on. ``exif``: the EXIF block, wherever it stands; else the one told as text.
        orientation: that the XMP tells; None: none.
    """

    metadata: Metadata
    exif: bytes | None
    orientation: int | None


def read_metadata(file: IO[bytes]) -> Told:
    """What all chunks tell, those behind the pixels too."""
    texts: list[tuple[bytes, bytes]] = []
    chunks: list[tuple[bytes, bytes]] = []
    profiles: dict[str, bytes] = {}
    left: list[str] = []
    orientation: int | None = None
    exif: bytes | None = None
    for name, body in _chunks(file):
        if name in _TEXTS:
            key, _, _ = body.partition(b"\0")
            kind = "xmp" if key == XMP else key[len(_RAW) :].decode("latin-1") if key.startswith(_RAW) else ""
            kind = {"exif": "exif", "APP1": "exif", "xmp": "xmp", "iptc": "8bim", "8bim": "8bim"}.get(
                kind, ""
            )
            value = _value(name, body) if kind else None
            if value is not None and kind:
                value = value if key == XMP else _from_hex(value)
            if kind == "exif" and value and value.startswith(JPEG_PREFIX):
                kind, value = "xmp", value[len(JPEG_PREFIX) :]
            if not value or kind in profiles or (kind == "8bim" and _resources(value) is None):
                texts.append((name, body))
            else:
                profiles[kind] = value
        elif name == b"eXIf":
            exif = exif or body
        elif name == b"caBX":
            left.append(CREDENTIALS)
        elif name == b"pHYs" and len(body) == 9 and body[8] == 0:
            chunks.append((name, body))  # no size, only the shape of a pixel
        elif name not in _OURS and (name in _TRUE or (name[0] & 32 and name[3] & 32)):
            chunks.append((name, body))
    xmp = profiles.get("xmp")
    if xmp is not None:
        orientation, xmp = stand_upright(xmp)
    resources = profiles.get("8bim")
    metadata = Metadata(
        xmp=xmp,
        photoshop=None if resources is None else _resources(resources),
        texts=tuple(texts),
        chunks=tuple(chunks),
    )
    return Told(metadata.leaves(*left), exif or profiles.get("exif"), orientation)


def pack_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """The chunks to write before the pixels, comments of other formats among them."""
    packed = [*metadata.chunks, *metadata.texts]
    if metadata.xmp is not None:
        packed.append((b"iTXt", XMP + b"\0\0\0\0\0" + metadata.xmp))
    if metadata.photoshop is not None:
        packed.append(_as_hex(b"iptc", metadata.photoshop))
    packed += [_text(b"Comment", comment) for comment in metadata.comments]
    return packed


def unlisted(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """The chunks that Pillow writes in silence not at all: public ones that it does not know."""
    return [(name, body) for name, body in metadata.chunks if not name[1] & 32 and name != b"tIME"]


def without_texts(file: IO[bytes]) -> IO[bytes]:
    """``file`` itself or, where a text is long, a copy without texts: Pillow refuses pictures for theirs."""
    file.seek(8)
    spans, start, long = [], 0, False
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        here = file.tell() - 8
        if name in _TEXTS:
            long |= size > _SHORT
            spans.append((start, here))
            start = here + 12 + size
        file.seek(size + 4, 1)
    spans.append((start, file.seek(0, 2)))
    kept = io.BytesIO()
    for first, end in spans if long else ():
        file.seek(first)
        kept.write(file.read(max(0, end - first)))
    chosen = kept if long else file
    chosen.seek(0)
    return chosen


def plain_texts(metadata: Metadata) -> dict[str, str]:
    """The texts by keyword, decoded; those that cannot be are left out."""
    found: dict[str, str] = {}
    for name, body in metadata.texts:
        key, _, _ = body.partition(b"\0")
        value = _value(name, body)
        if value is not None and key:
            text = value.decode("utf-8" if name == b"iTXt" else "latin-1", "replace")
            found.setdefault(key.decode("latin-1"), text)
    return found


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(name, body) of every whole chunk but the pixels'; one whose checksum is wrong is passed over."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name == b"IEND":
            return
        if name == b"IDAT" or size > 1 << 26:
            file.seek(size + 4, 1)
            continue
        body, checksum = file.read(size), file.read(4)
        if checksum == struct.pack(">I", zlib.crc32(name + body)):
            yield name, body


def _value(name: bytes, body: bytes) -> bytes | None:
    """The text of a chunk, unpacked; None where it is damaged or far too long."""
    _, _, rest = body.partition(b"\0")
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return _inflate(rest[1:])
    if len(rest) < 2:
        return None
    packed = rest[0] == 1
    _, _, rest = rest[2:].partition(b"\0")  # the language
    _, _, rest = rest.partition(b"\0")  # the keyword in it
    return _inflate(rest) if packed else rest


def _inflate(data: bytes) -> bytes | None:
    try:
        squeeze = zlib.decompressobj()
        value = squeeze.decompress(data, _MOST)
    except zlib.error:
        return None
    return value if squeeze.eof else None


def _from_hex(text: bytes) -> bytes | None:
    """What a raw profile holds: a line with its name, one with its length, then hexadecimal digits."""
    parts = text.split(None, 2)
    try:
        value = bytes.fromhex(parts[2].decode("ascii")) if len(parts) == 3 else b""
        return value if len(value) == int(parts[1]) else None
    except (ValueError, IndexError):
        return None


def _as_hex(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    digits = value.hex().encode()
    lines = b"\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    text = b"\n" + name + b"\n%8d\n" % len(value) + lines + b"\n"
    return b"zTXt", _RAW + name + b"\0\0" + zlib.compress(text)


def _resources(value: bytes) -> bytes | None:
    """Photoshop's resources without what a JPEG has before them; None: something else."""
    value = value.removeprefix(PHOTOSHOP)
    return value if value.startswith(b"8BIM") else None


def _text(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A comment: as UTF-8 where it is that and not ASCII, else as Latin-1."""
    value = value.rstrip(b"\0").replace(b"\0", b" ")
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return b"tEXt", key + b"\0" + value
    if value.isascii():
        return b"tEXt", key + b"\0" + value
    return b"iTXt", key + b"\0\0\0\0\0" + value
