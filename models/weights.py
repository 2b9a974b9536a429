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

    tensors = {k: v.detach().to("cpu", dtype).contiguous() for k, v in state.items()}
    data = save(tensors, metadata={"restore": json.dumps({"schema": SCHEMA, **meta}, sort_keys=True)})
    write_file(path, data)
    return hashlib.sha256(data).hexdigest()


def read_weights(path: Path, *, sha256: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a weight file as float32 tensors and its header.

    Args:
        sha256: refuse a file that is not this one.

    Raises:
        WeightsError: missing, damaged, not ours, from a newer schema, or not the file expected.
    """
    from safetensors import SafetensorError, safe_open

    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read weights {path}: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise WeightsError(
            f"weights {path} are damaged: expected SHA-256 {sha256[:12]}..., got {found[:12]}...",
            hint="reinstall restore-kit",
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("restore", "null"))
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise WeightsError(
            f"weights {path} cannot be read: {error}", hint="expected a safetensors file"
        ) from error
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise WeightsError(
            f"weights {path}: expected a header of schema {SCHEMA}, got {header and header.get('schema')}",
            hint="only weights saved by `restore train` say how to build their network",
        )
    return state, {**header, "sha256": found}


def is_ours(path: Path) -> bool:
    """Whether a weight file says that it was saved by :func:`save_weights`, or is so broken that nobody's reads it.

    Only the header is looked at; pickles are never ours.
    """
    if path.suffix.lower() != ".safetensors":
        return False
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return "restore" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return True


def load_into(net: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Loads ``state`` strictly.

    Raises:
        WeightsError: names or shapes that do not fit, all listed.
    """
    try:
        net.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{where}: the weights do not fit the network: {error}") from error
