"""The pictures that a recipe is trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from restore.data.library import Library, open_library
from restore.data.pairs import open_pairs
from restore.errors import UsageError
from restore.train.config import Config

Report = Callable[[str], None]


def open_training(config: Config, data: Path, degraded: Path | None, report: Report) -> Library:
    """Clean photographs for a recipe with a degradation, or pairs for one without.

    Raises:
        UsageError: a recipe and sources that do not fit together.
    """
    if degraded is not None:
        if config.conditions or config.degradation:
            raise UsageError(
                "pairs of folders bring their own degradation and nobody knows their conditions",
                hint="--set degradation=[] --set conditions=[] --set validation=[] --set arch.conditions=0",
            )
        return open_pairs(data, degraded, min_side=config.min_side, hold_out=config.hold_out, report=report)
    if not config.degradation:
        raise UsageError(
            "the recipe has no degradation", hint="give the degraded partners: --degraded FOLDER"
        )
    return open_photographs(config, data, hold_out=config.hold_out, report=report)


def open_photographs(
    config: Config,
    data: Path,
    *,
    hold_out: int,
    report: Report,
    keep: Callable[[Path], bool] = lambda name: True,
) -> Library:
    """Clean photographs in the sizes that the recipe asks for; ``keep`` chooses by their names."""
    return open_library(
        data,
        long_sides=config.long_sides,
        min_downscale=config.min_downscale,
        min_side=config.min_side,
        shrink_by=config.shrink_by,
        hold_out=hold_out,
        keep=keep,
        report=report,
    )
