"""``restore ship``: trained weights into the zoo of this checkout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def ship(
    weights: Annotated[Path, typer.Argument(help="best.safetensors of a run.")],
    name: Annotated[str, typer.Argument(help="Folder in models/zoo/.")],
) -> None:
    """Store trained weights in models/zoo/NAME in half precision and print their SHA-256 for the registry."""
    from restore.models.registry import weights_path
    from restore.models.weights import read_weights, save_weights

    state, header = read_weights(weights)
    made = {key: value for key, value in header.items() if key not in ("schema", "sha256")}
    target = weights_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = save_weights(target, state, made)
    sys.stdout.write(f"{digest}  {target}  {target.stat().st_size / 1e6:.2f} MB\n")
