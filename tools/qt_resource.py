"""Files out of a Qt resource file (``.rcc``).

The format: a header ``qres``, version, and the offsets of tree, data and names (big-endian); a node of the tree is
the offset of its name, flags (1: zlib, 2: folder, 4: Zstandard), and either count and index of its children or
language, territory and the offset of its data; from version 2 on a time follows (Qt's documentation of ``rcc``,
and the structure that ``rcc --binary`` writes).
"""

from __future__ import annotations

import struct
import zlib

from restore.errors import RestoreError

_ZLIB, _FOLDER, _ZSTD = 1, 2, 4


def read_resource(content: bytes) -> dict[str, bytes]:
    """Every file by its path.

    Raises:
        RestoreError: not a resource file, a damaged one, or one packed with Zstandard.
    """
    if content[:4] != b"qres":
        raise RestoreError("this is no Qt resource file")
    try:
        version, tree, data, names = struct.unpack_from(">4I", content, 4)
        files: dict[str, bytes] = {}
        _walk(content, (tree, data, names, 14 if version == 1 else 22), 0, "", files, 0)
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise RestoreError(f"the Qt resource file is damaged: {error}") from error
    return files


def _walk(
    content: bytes,
    places: tuple[int, int, int, int],
    node: int,
    above: str,
    files: dict[str, bytes],
    depth: int,
) -> None:
    tree, data, names, size = places
    name_at, flags, first, second = struct.unpack_from(">IHII", content, tree + node * size)
    path = above
    if node:
        (length,) = struct.unpack_from(">H", content, names + name_at)
        start = names + name_at + 6  # behind the length and a hash
        name = content[start : start + 2 * length].decode("utf-16-be")
        path = f"{above}/{name}" if above else name
    if not flags & _FOLDER:
        files[path] = _unpack(content, data + second, flags)
        return
    if depth > 64:
        raise RestoreError("the Qt resource file is damaged: folders within themselves")
    for child in range(second, second + first):
        _walk(content, places, child, path, files, depth + 1)


def _unpack(content: bytes, place: int, flags: int) -> bytes:
    (size,) = struct.unpack_from(">I", content, place)
    packed = content[place + 4 : place + 4 + size]
    if flags & _ZSTD:
        raise RestoreError("the Qt resource file is packed with Zstandard, which is not read here")
    return zlib.decompress(packed[4:]) if flags & _ZLIB else packed  # behind the size it will have
