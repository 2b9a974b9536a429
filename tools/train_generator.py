"""The part of ``restore train`` that trains generators: their recipes say ``step = "stylegan"``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from restore.errors import UsageError
from restore.tools.output import say


def train_if_generator(
    recipe: Path,
    settings: Sequence[str] | None,
    data: Path | None,
    out: Path,
    resume: bool,
    device: str,
    threads: int | None,
    *,
    unused: Sequence[object] = (),
) -> bool:
    """Trains if ``recipe`` is that of a generator; whether it was.

    Raises:
        UsageError: no pictures, or options that mean nothing here.
    """
    from restore.train.stylegan_config import is_generator_recipe, load_generator_config

    if not is_generator_recipe(recipe):
        return False
    from restore.train.stylegan_run import train_generator

    if data is None or any(option is not None for option in unused):
        raise UsageError(
            "a generator is trained from pictures alone", hint="--data FOLDER; no --degraded, no --init"
        )
    config = load_generator_config(recipe, settings or [])
    try:
        train_generator(config, data, out, resume=resume, device=device, threads=threads, report=say)
    except KeyboardInterrupt:
        if (out / "last.pt").exists():
            say("stopped; the same command with --resume goes on from the last snapshot")
        raise
    return True
