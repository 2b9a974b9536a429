"""The directories of a TIFF, which are those of an EXIF block too: read as they are, and put together again.

Values are kept as bytes, little-endian, so that no text is decoded and no number rounded on the way.
Source: TIFF revision 6.0 (Adobe, 1992), section 2; EXIF 2.32 (JEITA CP-3451), 4.6.2.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import IO, NamedTuple

import numpy as np

EXIF, GPS, INTEROP = 34665, 34853, 40965
_POINTERS = (EXIF, GPS, INTEROP)
# Bytes of a value and of the numbers inside it, by the type's code.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
_UNITS = {5: 4, 10: 4}
# Directories of real files have a few dozen entries, the largest private values some megabytes.
_MOST_ENTRIES, _MOST_BYTES = 1024, 1 << 26


class Entry(NamedTuple):
    """One tag: its number, the code of its type, and its values as little-endian bytes."""

    tag: int
    kind: int
    data: bytes

    @property
    def values(self) -> int:
        """How many values it has."""
        return len(self.data) // _SIZES[self.kind]


def read_directory(file: IO[bytes], offset: int, order: str, *, big: bool = False) -> dict[int, Entry]:
    """The entries at ``offset`` by tag; what is damaged or points outside of the file is passed over.

    Args:
        order: ``"<"`` or ``">"``. ``big``: the directory of a BigTIFF.
    """
    length = file.seek(0, 2)
    step, word, code = (20, 8, "HHQ") if big else (12, 4, "HHI")
    head = _read_at(file, offset, 8 if big else 2, length)
    if not head:
        return {}
    count = min(struct.unpack(order + ("Q" if big else "H"), head)[0], _MOST_ENTRIES)
    file.seek(offset + len(head))
    raw = file.read(count * step)
    entries: dict[int, Entry] = {}
    for at in range(0, len(raw) - step + 1, step):
        tag, kind, number = struct.unpack_from(order + code, raw, at)
        kind = {13: 4, 18: 16}.get(kind, kind)  # places of other directories, as plain numbers
        size = _SIZES.get(kind, 0) * number
        where = at + step - word
        if not 0 < size <= _MOST_BYTES:
            continue
        if size > word:
            (place,) = struct.unpack_from(order + ("Q" if big else "I"), raw, where)
            data = _read_at(file, place, size, length)
        else:
            data = raw[where : where + size]
        if len(data) == size:
            entries.setdefault(tag, Entry(tag, kind, _swapped(data, kind) if order == ">" else data))
    return entries


def number_of(entry: Entry | None) -> int | None:
    """The first value of an entry of whole numbers; None for anything else."""
    code = {1: "<B", 3: "<H", 4: "<I", 16: "<Q"}.get(entry.kind if entry else 0)
    return struct.unpack_from(code, entry.data)[0] if entry and code else None


def read_block(block: bytes | None) -> dict[int, dict[int, Entry]]:
    """An EXIF block taken apart: its first directory under 0, others under the tag that points there.

    Empty where there is none, or its head is damaged.
    """
    order = {b"II": "<", b"MM": ">"}.get((block or b"")[:2])
    if block is None or order is None or len(block) < 8:
        return {}
    file = io.BytesIO(block)
    first = read_directory(file, struct.unpack_from(order + "I", block, 4)[0], order)
    return follow(file, first, order)


def follow(
    file: IO[bytes], first: dict[int, Entry], order: str, *, big: bool = False
) -> dict[int, dict[int, Entry]]:
    """``first`` under 0 and the EXIF, GPS and interoperability directories it leads to."""
    found = {0: first}
    for pointer in _POINTERS:
        holder = found.get(EXIF, {}) if pointer == INTEROP else first
        place = number_of(holder.get(pointer))
        if place and (entries := read_directory(file, place, order, big=big)):
            found[pointer] = entries
    return found


def pack_directories(found: dict[int, dict[int, Entry]], base: int, *, big: bool = False) -> bytes:
    """Directories as they stand in a file from ``base`` on (even), little-endian, the first one first.

    Args:
        found: as :func:`read_block` gives them; 0 may be missing when EXIF or GPS is the only one.
    """
    inner = {tag: found[tag] for tag in (EXIF, GPS) if found.get(tag)}
    if EXIF not in inner and found.get(INTEROP):
        inner[EXIF] = {}
    first = _without_pointers(found.get(0, {}))
    first += [Entry(tag, 4, bytes(4)) for tag in inner]
    blocks = {0: _pack(first, base, big)}
    end = base + len(blocks[0])
    for tag, entries in inner.items():
        plain = _without_pointers(entries)
        if tag == EXIF and found.get(INTEROP):
            size = len(_pack([*plain, Entry(INTEROP, 4, bytes(4))], end, big))
            deepest = _pack(_without_pointers(found[INTEROP]), end + size, big)
            plain.append(Entry(INTEROP, 4, struct.pack("<I", end + size)))
        else:
            deepest = b""
        first = [Entry(tag, 4, struct.pack("<I", end)) if e.tag == tag else e for e in first]
        blocks[tag] = _pack(plain, end, big) + deepest
        end += len(blocks[tag])
    blocks[0] = _pack(first, base, big)
    return b"".join(blocks.values())


def pack_block(found: dict[int, dict[int, Entry]]) -> bytes | None:
    """An EXIF block; None when there is nothing in it."""
    if not any(found.values()):
        return None
    return b"II*\0" + struct.pack("<I", 8) + pack_directories(found, 8)


def _without_pointers(entries: dict[int, Entry]) -> list[Entry]:
    return [entry for tag, entry in entries.items() if tag not in _POINTERS]


def _pack(entries: Sequence[Entry], base: int, big: bool) -> bytes:
    """One directory and, behind it, the values that do not fit into it."""
    word, step = (8, 20) if big else (4, 12)
    ordered = sorted(entries)
    values = base + (8 if big else 2) + step * len(ordered) + word
    head, tail = [struct.pack("<Q" if big else "<H", len(ordered))], []
    for entry in ordered:
        head.append(struct.pack("<HHQ" if big else "<HHI", entry.tag, entry.kind, entry.values))
        if len(entry.data) <= word:
            head.append(entry.data.ljust(word, b"\0"))
        else:
            head.append(struct.pack("<Q" if big else "<I", values))
            tail.append(entry.data + bytes(len(entry.data) % 2))
            values += len(tail[-1])
    return b"".join([*head, bytes(word), *tail])


def _read_at(file: IO[bytes], offset: int, size: int, length: int) -> bytes:
    if offset + size > length:
        return b""
    file.seek(offset)
    return file.read(size)


def _swapped(data: bytes, kind: int) -> bytes:
    unit = _UNITS.get(kind, _SIZES[kind])
    return data if unit == 1 else np.frombuffer(data, f"u{unit}").byteswap().tobytes()
