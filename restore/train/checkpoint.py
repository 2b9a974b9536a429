"""Checkpoint files: written whole or not at all, read as numbers only."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from restore.errors import TrainingError
from restore.files import write_file


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Writes ``content`` (``step``: the number of steps done); a killed run leaves the previous file whole."""
    # Through memory: torch's own writer has no words for a full disk.
    memory = io.BytesIO()
    torch.save(content, memory)
    write_file(path, memory.getbuffer())


def read_checkpoint(path: Path, device: torch.device, fill: Callable[[dict[str, Any]], None]) -> int:
    """Hands the content to ``fill`` and returns the number of steps done.

    Raises:
        TrainingError: no checkpoint, or one that ``fill`` cannot take: of another network or recipe.
    """
    if not path.exists():
        raise TrainingError(
            f"nothing to resume: {path} is not there", hint="leave --resume out to start anew"
        )
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        fill(content)
        return int(content["step"])
    except (RuntimeError, ValueError, KeyError, EOFError) as error:
        raise TrainingError(f"the checkpoint {path} does not fit this recipe: {error}") from error
