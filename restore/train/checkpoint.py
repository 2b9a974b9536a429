"""Checkpoint files: written whole or not at all, read as numbers only."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from restore.errors import RestoreError, TrainingError
from restore.files import write_file
from restore.models.torch_file import read_torch_file
from restore.models.weights import first_line


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
        content: dict[str, Any] = read_torch_file(path, error=TrainingError, device=device)
        fill(content)
        step = content["step"]
        if type(step) is not int or step < 0:
            raise ValueError(f"expected a number of steps, got {str(step)[:40]}")
        return step
    except RestoreError:
        raise
    except Exception as error:  # a file may hold anything at all where tensors and numbers are expected
        raise TrainingError(
            f"the checkpoint {path} does not fit this recipe: {type(error).__name__}: {first_line(error)}",
            hint="another recipe made it, or it is damaged; leave --resume out to start anew in another folder",
        ) from error
