"""What a JPEG 2000 codestream asks of its decoder, reckoned from its markers before anything is decoded.

Source: ISO/IEC 15444-1, A (markers) and B (tiles, precincts, code blocks, packets).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import IO

from restore.errors import ImageError
from restore.files.limits import check_memory, check_pixels

_HEAD = 1 << 16
_SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
# Bytes that OpenJPEG keeps, measured: of a pixel and component (32 bits), of Pillow's pixel, and of each tile,
# precinct and code block.
_SAMPLE, _PIXEL, _TILE, _PRECINCT, _BLOCK = 4, 4, 12_000, 600, 250


def check_jpeg2000(file: IO[bytes], length: int) -> None:
    """Refuses a codestream that claims more packets than its bytes can hold, or takes too much memory.

    Every packet takes at least a byte (B.9), every tile fourteen. Of several coding styles the most demanding one
    is taken for the whole picture.

    Raises:
        ImageError: so. A damaged header is left to the decoder.
    """
    file.seek(0)
    head = file.read(_HEAD)
    start = head.find(b"\xff\x4f\xff\x51")
    if start < 0:
        return
    size, styles = None, []
    for marker, body in _segments(file, start + 2):
        if marker == _SIZ and len(body) >= 36:
            size = struct.unpack_from(">8IH", body, 2)
        elif marker in (_COD, _COC):
            styles.append(_style(marker, body, size[8] if size else 1))
    if size is None or not size[4] or not size[5] or not styles:
        return
    width, height = size[0] - size[2], size[1] - size[3]
    components = size[8]
    tiles = math.ceil((size[0] - size[6]) / size[4]) * math.ceil((size[1] - size[7]) / size[5])
    layers = max(style[0] for style in styles)
    counts = [_count(min(width, size[4]), min(height, size[5]), *style[1:]) for style in styles]
    precincts = max(count[0] for count in counts) * tiles * components
    blocks = max(count[1] for count in counts) * tiles * components
    # A decoder stops where the data ends: a few packets may be missing, not most of them.
    check_pixels(precincts * max(layers, 1), 2 * length + 1000, length)
    samples = width * height * (_SAMPLE * components + _PIXEL)
    check_memory(samples + tiles * _TILE + precincts * _PRECINCT + blocks * _BLOCK, length)


def _segments(file: IO[bytes], at: int) -> Iterator[tuple[int, bytes]]:
    """The marker segments of the main header and of every tile-part header."""
    part_end, parts = 0, 0
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            return
        marker, size = struct.unpack(">HH", head)
        if marker == _EOC or not marker > 0xFF00:
            return
        if marker == _SOD:
            if part_end <= at:
                return
            at = part_end
            continue
        body = file.read(max(0, size - 2))
        if marker == _SOT and len(body) >= 8:
            (extent,) = struct.unpack_from(">I", body, 2)
            part_end = at + extent if extent else 0
            parts += 1
            if parts > 1 << 16:
                raise ImageError("it has more than 65536 tile parts", hint="save it again as a PNG")
        yield marker, body
        at += 2 + size


def _style(marker: int, body: bytes, components: int) -> tuple[int, int, int, int, bytes]:
    """Layers, levels of decomposition, exponents of the code block, and of the precincts (A.6.1, A.6.2)."""
    if marker == _COD:
        told = body[0] & 1
        layers = int.from_bytes(body[2:4], "big")
        rest = body[5:]
    else:
        skip = 1 if components < 257 else 2
        told, layers, rest = body[skip] & 1, 1, body[skip + 1 :]
    if len(rest) < 5:
        raise ImageError("the file is damaged (a coding style is cut off)")
    return layers, min(rest[0], 32), (rest[1] & 15) + 2, (rest[2] & 15) + 2, rest[5:] if told else b""


def _count(width: int, height: int, levels: int, wide: int, high: int, sizes: bytes) -> tuple[int, int]:
    """Precincts and code blocks of one component of one tile."""
    precincts = blocks = 0
    for level in range(levels + 1):
        shrink = 2 ** (levels - level)
        w, h = math.ceil(width / shrink), math.ceil(height / shrink)
        across, down = (sizes[level] & 15, sizes[level] >> 4) if level < len(sizes) else (15, 15)
        precincts += math.ceil(w / 2**across) * math.ceil(h / 2**down)
        less = 1 if level else 0
        block = 2 ** min(wide, max(across - less, 0)), 2 ** min(high, max(down - less, 0))
        bands = 3 if level else 1
        half = 2**less
        blocks += bands * math.ceil(w / half / block[0]) * math.ceil(h / half / block[1])
    return precincts, blocks
