"""What a JPEG's markers promise, checked before anything is decoded.

Source: ITU-T T.81, B (markers), F (sequential), G (progressive).
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass, field
from typing import IO

from restore.errors import ImageError
from restore.files.limits import check_memory, check_pixels

# A marker that is neither a stuffed zero nor a restart.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_SEGMENTS = 4096
_SOI, _EOI, _SOS, _DAC = 0xD8, 0xD9, 0xDA, 0xCC
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE, _ARITHMETIC = {0xC2, 0xC6, 0xCA, 0xCE}, set(range(0xC9, 0xD0))
# Blocks that one byte of arithmetic coding may stand for; flat pictures need less than a bit each.
_ARITHMETIC_BLOCKS = 512
# Every scan visits its blocks again: honest files visit each some twenty times.
_VISITS, _FREE_VISITS = 24, 60_000_000
_COEFFICIENTS = 128  # bytes of a block


@dataclass
class Scan:
    """One scan: its components, the first coefficient and whether it is the first of it, its bytes of data."""

    components: tuple[int, ...]
    first: int
    initial: bool
    length: int


@dataclass
class Structure:
    """The frame and scans of a JPEG, as far as its markers go.

    Args:
        kind: the frame's marker, 0 where there is none.
        blocks: of each component, by its number, those that hold pixels.
    """

    kind: int = 0
    width: int = 0
    height: int = 0
    blocks: dict[int, int] = field(default_factory=dict)
    scans: list[Scan] = field(default_factory=list)

    @property
    def progressive(self) -> bool:
        return self.kind in _PROGRESSIVE

    @property
    def buffered(self) -> bool:
        """Whether a decoder has to keep all coefficients: progressive, or several scans."""
        several = bool(self.scans) and len(self.scans[0].components) < len(self.blocks)
        return self.progressive or several


def read_structure(file: IO[bytes]) -> Structure:
    """Walks the markers of the first picture in a file.

    Raises:
        ImageError: thousands of segments.
    """
    file.seek(0)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _walk(data)


def _walk(data: mmap.mmap) -> Structure:
    found, at, segments = Structure(), 2, 0
    while match := _MARKER.search(data, at):
        marker, at = match[1][0], match.end()
        if marker == _EOI:
            break
        if marker == _SOI or marker == 0x01:
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + min(size, 800)]
        segments += 1
        if segments > _SEGMENTS:
            raise ImageError(f"it has more than {_SEGMENTS} segments", hint="save it again without metadata")
        at += max(size, 2)
        if marker in _FRAMES and not found.kind and len(body) >= 6:
            _read_frame(found, marker, body)
        elif marker == _SOS and body and len(body) >= 4 + 2 * body[0]:
            end = _MARKER.search(data, at)
            stop = end.start() if end else len(data)
            components = tuple(body[1 : 1 + 2 * body[0] : 2])
            first, approximation = body[1 + 2 * body[0]], body[3 + 2 * body[0]]
            found.scans.append(Scan(components, first, approximation >> 4 == 0, stop - at))
            at = stop
    return found


def _read_frame(found: Structure, marker: int, body: bytes) -> None:
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    rows = [body[at : at + 3] for at in range(6, 6 + 3 * body[5], 3)]
    if any(len(row) < 3 or not row[1] >> 4 or not row[1] & 15 for row in rows) or not rows:
        return
    across, down = max(row[1] >> 4 for row in rows), max(row[1] & 15 for row in rows)
    found.kind, found.width, found.height = marker, width, height
    for number, sampling, _ in rows:
        columns = _ceil(_ceil(width * (sampling >> 4), across), 8)
        found.blocks[number] = columns * _ceil(_ceil(height * (sampling & 15), down), 8)


def _ceil(value: int, by: int) -> int:
    return -(-value // by)


def check_jpeg(file: IO[bytes], length: int) -> Structure:
    """The structure of a JPEG of ``length`` bytes that is not more than its bytes can hold.

    A block takes at least a bit for its first coefficient in Huffman coding, and one more for the others in a
    sequential frame. Coefficients of a progressive frame, or of one in several scans, are held in memory.

    Raises:
        ImageError: fewer bytes than its blocks need, a component without its first coefficients, scans without
            end, or more memory than such a file may take.
    """
    found = read_structure(file)
    total = sum(found.blocks.values())
    if not found.kind or not total:
        return found  # the decoder says what is missing
    data = sum(scan.length for scan in found.scans)
    if found.kind in _ARITHMETIC:
        check_pixels(total, _ARITHMETIC_BLOCKS * data, length)
    elif found.progressive:
        started: set[int] = set()
        for scan in found.scans:
            if scan.first == 0 and scan.initial:
                started |= set(scan.components)
                need = sum(found.blocks.get(number, 0) for number in scan.components)
                check_pixels(need, 8 * scan.length, length)
        if not started >= found.blocks.keys():
            raise ImageError("the picture data ends early", hint="copy the file again from where it came")
    else:
        check_pixels(total, 4 * data, length)
    visits = sum(found.blocks.get(number, 0) for scan in found.scans for number in scan.components)
    if visits > max(_VISITS * total, _FREE_VISITS):
        raise ImageError(
            f"it has {len(found.scans)} scans, more than any encoder makes", hint="save it again"
        )
    if found.buffered:
        check_memory(_COEFFICIENTS * total, length)
    return found
