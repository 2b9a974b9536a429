"""Checkpoints of torch (``.pth``, ``.pt``, ``.ckpt``): looked over before torch reads their tensors."""

from __future__ import annotations

import argparse
import io
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from restore.errors import RestoreError, WeightsError
from restore.files.bounded import open_regular
from restore.models.pickle_scan import scan_pickle
from restore.models.weights import first_line

MOST_BYTES = 8 << 30
# Parts of an archive: one for each tensor and a few more; and what a part that is no tensor may take.
_MOST_PARTS = 100_000
_MOST_TEXT = 64 << 20
# Containers inside containers that are walked through in search of tensors.
_MOST_VISITS = 2_000_000
_MAGIC = b"PK\x03\x04"
# The first format: a number as its sign, its version, the system, the content, and the order of its tensors.
_LEGACY_SIGN = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
_LEGACY_PICKLES = 5


def read_torch_file(
    path: Path, *, error: type[RestoreError] = WeightsError, device: torch.device | None = None
) -> Any:
    """The content of a checkpoint: tensors in plain containers. Nothing in the file is executed.

    Raises:
        RestoreError: of class ``error``: no regular file, larger than ``MOST_BYTES``, a program (TorchScript), a
            pickle of more than tensors, or damaged.
    """
    try:
        with open_regular(path, most=MOST_BYTES, error=error, what="weights") as file:
            zipped = _look_over(file)
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):  # arguments
            warnings.simplefilter(
                "ignore"
            )  # of the pickle's protocol; whether it can be read is all that matters
            content = torch.load(
                path, map_location=device or "cpu", weights_only=True, mmap=zipped and not device
            )
    except RestoreError:
        raise
    except pickle.UnpicklingError as reason:
        raise error(
            f"{path} is refused: it is no pickle of tensors alone ({first_line(reason)})",
            hint="nothing of it was run; ask its author for .safetensors",
        ) from reason
    except Exception as reason:  # zip, pickle and storage errors have many types
        raise error(f"{path} cannot be read: {first_line(reason)}", hint="is it complete?") from reason
    _check_claims(content, path, error)
    return content


def tensors_in(content: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested containers with its dotted name; a container is entered once, wherever it stands.

    Raises:
        ValueError: more containers than a checkpoint has.
    """
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", content)]
    visits = 0
    while left:
        name, value = left.pop()
        visits += 1
        if visits > _MOST_VISITS:
            raise ValueError("its containers hold too much")
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            left.extend(
                (f"{name[:200]}.{str(key)[:200]}" if name else str(key)[:200], item) for key, item in items
            )


def check_archive(archive: zipfile.ZipFile, *, packed: Callable[[str], bool] = lambda name: False) -> None:
    """Refuses a zip file that torch would not have written: a few bytes could hold any size.

    Args:
        packed: whether a part of that name may be compressed; it is then bounded.

    Raises:
        pickle.UnpicklingError: names that stand twice, or parts that are compressed or too many.
    """
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) != len(entries) or len(entries) > _MOST_PARTS:
        raise pickle.UnpicklingError("its archive has too many parts, or two of one name")
    for entry in entries:
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size:
            continue
        if not packed(entry.filename):
            raise pickle.UnpicklingError("it has compressed parts, which torch never writes")
        if entry.file_size > _MOST_TEXT:
            raise pickle.UnpicklingError(f"its part {entry.filename[:80]} takes {entry.file_size:,} bytes")


def read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """A part that is no tensor.

    Raises:
        pickle.UnpicklingError: larger than such a part is.
    """
    with archive.open(name) as part:
        data = part.read(_MOST_TEXT + 1)
    if len(data) > _MOST_TEXT:
        raise pickle.UnpicklingError(f"its part {name[:80]} is too large")
    return data


def count_parts(file: IO[bytes]) -> int:
    """About how many parts an archive lists: so many that listing them takes long would be found out by listing."""
    file.seek(0, 2)
    size = file.tell()
    tail = min(size, _MOST_PARTS * 200)
    file.seek(size - tail)
    return file.read(tail).count(b"PK\x01\x02")


def _look_over(file: IO[bytes]) -> bool:
    """Whether a checkpoint is an archive; raises where it is no checkpoint of tensors."""
    if file.read(4) == _MAGIC:
        if count_parts(file) > _MOST_PARTS:
            raise pickle.UnpicklingError("its archive has too many parts")
        with zipfile.ZipFile(file) as archive:
            _look_over_archive(archive)
        return True
    file.seek(0)
    if file.read(len(_LEGACY_SIGN)) != _LEGACY_SIGN:
        file.seek(0)
        scan_pickle(file)  # says what is wrong with it, if that can be said
        raise pickle.UnpicklingError("torch did not write it")
    file.seek(0)
    for _ in range(_LEGACY_PICKLES):
        scan_pickle(file)
    return False


def _look_over_archive(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        raise pickle.UnpicklingError("TorchScript is a program, not weights")
    check_archive(archive)
    for name in names:
        if name.endswith(".pkl"):
            scan_pickle(io.BytesIO(read_part(archive, name)))


def _check_claims(content: Any, path: Path, error: type[RestoreError]) -> None:
    """A few bytes may claim to be tensors of any size (stride 0, one storage under many names)."""
    held: dict[int, int] = {}
    claimed = 0
    try:
        for name, tensor in tensors_in(content):
            if tensor.layout != torch.strided or tensor.device.type == "meta":
                raise error(f"{path} is refused: {name} is no plain tensor")
            size, storage = tensor.numel() * tensor.element_size(), tensor.untyped_storage()
            if size > storage.nbytes():
                raise error(f"{path} is refused: {name} claims {tuple(tensor.shape)} but holds less")
            claimed += size
            held[storage.data_ptr()] = storage.nbytes()
    except ValueError as reason:
        raise error(f"{path} is refused: {reason}") from None
    there = min(sum(held.values()), path.stat().st_size)
    if claimed > 4 * there + (1 << 20):
        raise error(f"{path} is refused: its tensors claim {claimed:,} bytes and share {there:,}")
