"""Damages the bytes of a picture file: anywhere, or in the fields that its format is made of."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from torture.specimens import specimens

# What fields are set to: the ends of every integer type.
_ENDS = (0, 1, 2, 127, 128, 255, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
Damage = Callable[[random.Random, bytearray], bytearray]


@dataclass(frozen=True)
class Damaged:
    """A damaged file, its ending, what was done, and the file it was made from."""

    suffix: str
    data: bytes
    done: tuple[str, ...]
    original: bytes


def damaged(seed: int, index: int) -> Damaged:
    """The file of a seed and a number, always the same."""
    r = random.Random(f"{seed} {index}")
    suffix, original = r.choice(specimens())
    data, done = bytearray(original), []
    for _ in range(r.choice((1, 1, 2))):
        name = r.choice((*ANYWHERE, "fields", "fields", "fields"))
        how = FIELDS.get(suffix, _extreme) if name == "fields" else ANYWHERE[name]
        try:
            data = how(r, data) or data
        except (struct.error, IndexError, ValueError):
            data = _bits(r, data)
        done.append(name)
    return Damaged(suffix, bytes(data), tuple(done), original)


def _place(r: random.Random, data: bytearray) -> int:
    return r.randrange(min(len(data), r.choice((60, 400, len(data)))))


def _bits(r: random.Random, data: bytearray) -> bytearray:
    for _ in range(r.choice((1, 2, 8))):
        data[_place(r, data)] ^= 1 << r.randrange(8)
    return data


def _extreme(r: random.Random, data: bytearray) -> bytearray:
    at, size = _place(r, data), r.choice((1, 2, 4))
    data[at : at + size] = (r.choice(_ENDS) % 256**size).to_bytes(size, r.choice(("big", "little")))
    return data


def _cut(r: random.Random, data: bytearray) -> bytearray:
    return data[: r.choice((r.randrange(1, len(data)), len(data) - r.randrange(1, 40)))]


def _blocks(r: random.Random, data: bytearray) -> bytearray:
    at, size = _place(r, data), r.choice((1, 4, 16, 200))
    new = r.choice((b"", bytes(size), r.randbytes(size), bytes(data[at : at + size]) * 2))
    return data[:at] + new + data[at + size :]


def _joined(r: random.Random, data: bytearray) -> bytearray:
    _, other = r.choice(specimens())
    return data[: _place(r, data)] + other[r.randrange(len(other)) :]


ANYWHERE: dict[str, Damage] = {
    "bits": _bits, "extreme": _extreme, "cut": _cut, "blocks": _blocks, "joined": _joined,
}  # fmt: skip


def _shuffled(r: random.Random, parts: list[tuple[bytes, bytes]], names: tuple[bytes, ...]) -> None:
    """A part is dropped, doubled, moved, damaged, or a strange one comes in."""
    at = r.randrange(len(parts))
    name, body = parts[at]
    what = r.randrange(6)
    if what == 0 and len(parts) > 1:
        del parts[at]
    elif what == 1:
        parts.insert(r.randrange(len(parts) + 1), parts[at])
    elif what == 2:
        r.shuffle(parts)
    elif what == 3:
        parts.insert(r.randrange(len(parts)), (r.choice(names), r.randbytes(r.randrange(60))))
    elif body:
        parts[at] = (name, bytes(r.choice((_bits, _extreme))(r, bytearray(body))))


def _png(r: random.Random, data: bytearray) -> bytearray:
    parts, at = [], 8
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        parts.append((name, bytes(data[at + 8 : at + 8 + size])))
        at += size + 12
    names = (b"iCCP", b"eXIf", b"tRNS", b"PLTE", b"gAMA", b"cHRM", b"pHYs", b"zTXt", b"iTXt", b"sBIT", b"acTL",
             b"fcTL", b"cICP", b"tEXt", b"IDAT")  # fmt: skip
    _shuffled(r, parts, names)
    out = data[:8]
    for name, body in parts:  # checksums that are right: else nothing behind them is reached
        out += struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))
    return out


def _jpeg(r: random.Random, data: bytearray) -> bytearray:
    parts, at = [], 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        (size,) = struct.unpack_from(">H", data, at + 2)
        parts.append((bytes(data[at : at + 2]), bytes(data[at + 4 : at + 2 + size])))
        at += size + 2
    _shuffled(
        r, parts, tuple(bytes((255, m)) for m in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xC4, 0xDB, 0xC2, 0xDD))
    )
    return (
        data[:2]
        + b"".join(name + struct.pack(">H", min(len(body) + 2, 65535)) + body for name, body in parts)
        + data[at:]
    )


def _tiff(r: random.Random, data: bytearray) -> bytearray:
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for _ in range(r.choice((1, 2))):
        entry = start + 2 + 12 * r.randrange(count)
        offset, kind, values = r.choice((
            (0, "H", (256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 317, 322, 324, 330, 338, 339, 34675)),
            (2, "H", (*range(14), 65535)),
            (4, "I", _ENDS),
            (8, "I", (*_ENDS, start, len(data), r.randrange(len(data)))),
        ))  # fmt: skip
        struct.pack_into(order + kind, data, entry + offset, r.choice(values))
    return data


def _riff(r: random.Random, data: bytearray) -> bytearray:
    parts, at = [], 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        parts.append((name, bytes(data[at + 8 : at + 8 + size])))
        at += 8 + size + size % 2
    _shuffled(r, parts, (b"VP8X", b"EXIF", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"XMP "))
    body = b"".join(n + struct.pack("<I", len(p)) + p + bytes(len(p) % 2) for n, p in parts)
    return bytearray(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


def _netpbm(r: random.Random, data: bytearray) -> bytearray:
    old = r.choice((b"45", b"37", b"255", b"65535"))
    new = r.choice((b"0", b"-1", b"1", b"99999", b"4294967295", b"9" * 20, b"1e3", b"#", b""))
    return bytearray(bytes(data[:30]).replace(old, new, 1)) + data[30:]


FIELDS: dict[str, Damage] = {
    ".png": _png, ".jpg": _jpeg, ".tif": _tiff, ".webp": _riff,
    ".ppm": _netpbm, ".pgm": _netpbm, ".pbm": _netpbm,
}  # fmt: skip
