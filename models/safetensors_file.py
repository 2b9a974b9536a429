"""The header of a safetensors file, checked before anything is allocated for its tensors.

The format (https://github.com/huggingface/safetensors): eight bytes with the header's length, the header as JSON,
the tensors one behind another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from restore.errors import WeightsError
from restore.files.bounded import open_regular, parse_json

MOST_BYTES = 4 << 30
MOST_HEADER = 16 << 20
# Bytes an element takes, of the kinds that networks are computed from.
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class Header:
    """What a file says of itself: the shape of every tensor by name, and texts by name."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]

    @property
    def elements(self) -> int:
        """Elements of all tensors together."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def read_header(path: Path) -> Header:
    """The header of a file in which every tensor has the bytes that its shape needs, and no byte is left over.

    Raises:
        WeightsError: no regular file, larger than ``MOST_BYTES``, or anything else than such a file.
    """
    with open_regular(path, most=MOST_BYTES, error=WeightsError, what="weights") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MOST_HEADER, size - 8):
            raise _refused(path, f"a header of {length:,} bytes in a file of {size:,}")
        text = file.read(length)
    try:
        return _checked(parse_json(text), size - 8 - length)
    except ValueError as error:
        raise _refused(path, str(error)) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file whose header was read by :func:`read_header`, all of them finite.

    Raises:
        WeightsError: a file that the library cannot read, NaN, or infinity outside masks.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise _refused(path, str(error)) from error
    check_finite(state, where=str(path))
    return state


def check_finite(state: Mapping[str, Tensor], *, where: str) -> None:
    """Refuses numbers that would spread over every picture.

    Raises:
        WeightsError: NaN, or infinity in anything but a mask (of attention).
    """
    for name, value in state.items():
        if not value.is_floating_point() or bool(torch.isfinite(value).all()):
            continue
        if bool(value.isnan().any()) or not name.endswith("mask"):
            raise WeightsError(
                f"{where} is refused: {name} holds NaN or infinity", hint="the file is damaged"
            )


def _checked(content: Any, body: int) -> Header:
    if not isinstance(content, dict):
        raise ValueError("its header is no JSON object")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata are not texts by name")
    shapes, places = {}, []
    for name, entry in content.items():
        shapes[name], place = _tensor(name, entry)
        places.append(place)
    end = 0
    for first, last in sorted(places):
        if first != end:
            raise ValueError("its tensors overlap, or leave gaps")
        end = last
    if end != body:
        raise ValueError(f"its tensors take {end:,} bytes, and it has {body:,}")
    return Header(shapes, metadata)


def _tensor(name: str, entry: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict):
        raise ValueError(f"{name[:80]} is no tensor")
    kind, shape, place = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(kind, str) or kind not in SIZES:
        raise ValueError(f"{name[:80]} is of type {str(kind)[:20]}, expected one of {', '.join(SIZES)}")
    if not _whole(shape) or not _whole(place) or len(shape) > 8 or len(place) != 2:
        raise ValueError(f"{name[:80]} has no shape, or no place in the file")
    if math.prod(shape) * SIZES[kind] != place[1] - place[0]:
        raise ValueError(f"{name[:80]} claims {tuple(shape)} and has {place[1] - place[0]:,} bytes")
    return tuple(shape), (place[0], place[1])


def _whole(numbers: Any) -> TypeGuard[list[int]]:
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in numbers)


def _refused(path: Path, reason: str) -> WeightsError:
    line = (reason.strip().splitlines() or ["damaged"])[0][:200]
    return WeightsError(f"weights {path} cannot be read: {line}", hint="expected a safetensors file")
