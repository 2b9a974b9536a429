"""Where a result came from: the folder of a run with its recipe, and what a weight file says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from restore.errors import UsageError
from restore.files import write_file
from restore.train.recipe import Recipe, to_dict
from restore.version import __version__


def open_folder(out: Path, recipe: Recipe, *, resume: bool) -> None:
    """Makes the folder of a run and writes ``config.json``.

    Raises:
        UsageError: ``out`` already holds a run and ``resume`` is not asked for.
        ImageError: the folder cannot be made or written to.
    """
    if (out / "last.pt").exists() and not resume:
        raise UsageError(f"{out} already holds a run", hint="--resume continues it; or choose another --out")
    write_file(out / "config.json", json.dumps(to_dict(recipe), indent=1) + "\n")


def header(recipe: Recipe, step: int, scores: dict[str, Any]) -> dict[str, Any]:
    """What a weight file says of itself."""
    return {
        "name": recipe.name,
        "task": recipe.task,
        "architecture": recipe.architecture,
        "config": dict(recipe.arch),
        "conditions": list(getattr(recipe, "conditions", ())),
        "licence": recipe.licence,
        "training_data": recipe.training_data,
        "recipe": to_dict(recipe),
        "steps": step,
        "validation": scores,
        "made_with": f"restore-kit {__version__}, torch {torch.__version__}",
    }
