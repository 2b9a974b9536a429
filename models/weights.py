"""Weight files: safetensors with what made them inside; nothing that runs on load.

The header holds one JSON text ``restore``: architecture and its configuration, task, conditions, licence, training
data, scores. Values are stored in float16 (enough below a million parameters: no measurable change in PSNR) and
computed in float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.errors import WeightsError
from restore.files.bounded import open_regular, parse_json
from restore.models.int8 import unpack_int8
from restore.models.safetensors_file import MOST_BYTES, Header, read_header, read_tensors

SCHEMA = 1


def save_weights(
    path: Path, state: Mapping[str, Tensor], meta: Mapping[str, Any], *, dtype: torch.dtype = torch.float16
) -> str:
    """Writes ``state`` and ``meta`` (JSON-able), whole or not at all, and returns the file's SHA-256.

    Raises:
        ImageError: the file cannot be written.
    """
    from safetensors.torch import save

    from restore.files import write_file

    tensors = {
        k: (v.detach().to("cpu", dtype) if v.is_floating_point() else v).contiguous()
        for k, v in state.items()
    }
    data = save(tensors, metadata={"restore": json.dumps({"schema": SCHEMA, **meta}, sort_keys=True)})
    write_file(path, data)
    return hashlib.sha256(data).hexdigest()


def read_weights(path: Path, *, sha256: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a weight file as float32 tensors and its header.

    Args:
        sha256: refuse a file that is not this one.

    Raises:
        WeightsError: missing, damaged, not ours, from a newer schema, not the file expected, or numbers that are not
            finite.
    """
    header, _ = read_description(path)
    found = file_sha256(path)
    if sha256 is not None and found != sha256:
        raise WeightsError(
            f"weights {path} are damaged: expected SHA-256 {sha256[:12]}..., got {found[:12]}...",
            hint="reinstall restore-kit",
        )
    return unpack_int8(read_tensors(path)), {**header, "sha256": found}


def read_description(path: Path) -> tuple[dict[str, Any], Header]:
    """What a weight file of ours says of itself, and of its tensors; none of these is read.

    Raises:
        WeightsError: missing, damaged, not ours, or from a newer schema.
    """
    found = read_header(path)
    try:
        header = parse_json(found.metadata.get("restore", "null"))
    except ValueError as error:
        raise WeightsError(f"weights {path} cannot be read: {error}", hint="its header is damaged") from None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        got = header.get("schema") if isinstance(header, dict) else None
        raise WeightsError(
            f"weights {path}: expected a header of schema {SCHEMA}, got {str(got)[:40]}",
            hint="only weights saved by `restore train` say how to build their network",
        )
    if not isinstance(header.get("architecture"), str) or not isinstance(header.get("config", {}), dict):
        raise WeightsError(f"weights {path}: expected an architecture and its configuration in the header")
    return header, found


def is_ours(path: Path) -> bool:
    """Whether a weight file says that it was saved by :func:`save_weights`, or is so broken that nobody's reads it.

    Only the header is looked at; pickles are never ours.
    """
    if path.suffix.lower() != ".safetensors":
        return False
    try:
        return "restore" in read_header(path).metadata
    except WeightsError:
        return True


def load_into(net: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Loads ``state`` strictly.

    Raises:
        WeightsError: names or shapes that do not fit, all listed.
    """
    try:
        net.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{where}: the weights do not fit the network: {str(error)[:2000]}") from error


def first_line(error: BaseException) -> str:
    """What an error of somebody else's says, short enough for a line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a weight file."""
    with open_regular(path, most=MOST_BYTES, error=WeightsError, what="weights") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
