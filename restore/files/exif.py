"""The orientation of a picture: read from and reset in an EXIF block, and applied to pixels.

EXIF 2.32 (JEITA CP-3451), 4.6.2 (structure: a TIFF header and a chain of directories) and 4.6.4 (tag 0x0112).
"""

from __future__ import annotations

import struct

import numpy as np

_ORIENTATION = 0x0112
_PREFIX = b"Exif\x00\x00"


def bare(exif: bytes | None) -> bytes | None:
    """The block from its ``II`` or ``MM`` on, without the marker some formats put first; None when empty."""
    while exif and exif.startswith(_PREFIX):
        exif = exif[len(_PREFIX) :]
    return exif or None


def with_prefix(exif: bytes) -> bytes:
    """The block as JPEG wants it."""
    return _PREFIX + exif


def split_orientation(exif: bytes | None, otherwise: int | None = None) -> tuple[int, bytes | None]:
    """The orientation (1 to 8; 1 when there is none) and the same block with it set to 1.

    Nothing else in the block changes, so that offsets in maker notes stay right. A block that cannot be
    parsed comes back as it is, with orientation 1.

    Args:
        otherwise: the orientation where the block tells none (the one of XMP, as the Metadata Working Group
            has it); None: 1.
    """
    exif = bare(exif)
    if exif is None:
        return otherwise or 1, None
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        (offset,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, offset)
        for entry in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", exif, entry)
            if tag == _ORIENTATION and kind in (3, 4) and number == 1:
                code = order + ("H" if kind == 3 else "I")
                (value,) = struct.unpack_from(code, exif, entry + 8)
                changed = bytearray(exif)
                struct.pack_into(code, changed, entry + 8, 1)
                return (value if 1 <= value <= 8 else 1), bytes(changed)
    except (KeyError, struct.error):
        pass
    return otherwise or 1, exif


def lying(array: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an upright array (``H x W`` or ``H x W x C``) as a file of this orientation has it."""
    views = {
        2: lambda: array[:, ::-1],
        3: lambda: array[::-1, ::-1],
        4: lambda: array[::-1],
        5: lambda: array.swapaxes(0, 1),
        6: lambda: np.rot90(array, 1),
        7: lambda: array[::-1, ::-1].swapaxes(0, 1),
        8: lambda: np.rot90(array, -1),
    }
    return views[orientation]() if orientation in views else array


def upright(
    shape: tuple[int, ...], dtype: np.dtype | type, orientation: int
) -> tuple[np.ndarray, np.ndarray]:
    """A new array that will stand upright, and the view of it that lies as the file does.

    Args:
        shape: ``H x W`` or ``H x W x C`` in the file. Filling the view row by row turns the picture
            without a second copy.
    """
    array = np.empty((shape[1], shape[0], *shape[2:]) if orientation >= 5 else shape, dtype)
    return array, lying(array, orientation)


def turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """``H x W`` or ``H x W x C`` as the file has it, stood upright; contiguous."""
    if orientation == 1:
        return np.ascontiguousarray(array)
    out, view = upright(array.shape, array.dtype, orientation)
    view[...] = array
    return out
