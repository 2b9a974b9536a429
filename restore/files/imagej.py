"""ImageJ's own tags, whose numbers inside have the byte order of their file.

Source: ImageJ's ``TiffEncoder.writeMetaData`` and ``TiffDecoder.getMetaData``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from restore.files.directories import Entry

COUNTS, DATA = 50838, 50839
# What ImageJ stores under a name, by the size of its numbers; others (tables of colours, regions) are plain bytes.
_UNITS = {b"info": 2, b"labl": 2, b"prop": 2, b"rang": 8}


def as_little_endian(tags: Mapping[int, Entry]) -> Entry | None:
    """The metadata of a big-endian file as a little-endian one has them; None where they are damaged."""
    if COUNTS not in tags or DATA not in tags or tags[COUNTS].kind != 4:
        return None
    counts = struct.unpack(f"<{tags[COUNTS].values}I", tags[COUNTS].data)
    data = tags[DATA].data
    head = counts[0] if counts else 0
    if not 12 <= head <= len(data) or (head - 4) % 8 or sum(counts) > len(data) or data[:4] != b"IJIJ":
        return None
    parts = [_swapped(data[:head], 4)]
    at, index = head, 1
    for entry in range(4, head, 8):
        name, number = struct.unpack_from(">4sI", data, entry)
        for size in counts[index : index + number]:
            parts.append(_swapped(data[at : at + size], _UNITS.get(name, 1)))
            at += size
        index += number
    return Entry(DATA, tags[DATA].kind, b"".join(parts) + data[at:])


def _swapped(data: bytes, unit: int) -> bytes:
    if unit == 1 or len(data) % unit:
        return data
    return np.frombuffer(data, f"u{unit}").byteswap().tobytes()
