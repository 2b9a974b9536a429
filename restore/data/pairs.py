"""Two folders of the same pictures, clean and degraded, matched by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from restore.data.library import Library, hold_out_names, read_rgb8
from restore.errors import ImageError, UsageError
from restore.files import find_pictures


def open_pairs(
    clean: Path,
    degraded: Path,
    *,
    min_side: int = 160,
    hold_out: int = 8,
    report: Callable[[str], None] = lambda text: None,
) -> Library:
    """Reads pairs as ``H x W x 6`` uint8, clean in the first three channels, at the size they have.

    Pictures are matched by their path without its ending; those without a partner are left out and counted.

    Raises:
        UsageError: no pair, a pair of two sizes, or two files of one folder that differ in their ending alone.
    """
    found = [_by_stem(folder) for folder in (clean, degraded)]
    shared = sorted(found[0].keys() & found[1].keys())
    alone = len(found[0].keys() ^ found[1].keys())
    if not shared:
        raise UsageError(
            f"no picture of {clean} has a partner in {degraded}",
            hint="pairs are matched by their path without its ending: clean/a/1.png and degraded/a/1.jpg",
        )
    held = hold_out_names([Path(stem) for stem in shared], hold_out)
    train: list[np.ndarray] = []
    held_out: list[np.ndarray] = []
    skipped: list[str] = []
    for stem in shared:
        try:
            pair = [read_rgb8(folder / f[stem]) for folder, f in zip((clean, degraded), found, strict=True)]
        except ImageError as error:
            skipped.append(error.message)
            continue
        if pair[0].shape != pair[1].shape:
            raise UsageError(
                f"the pair {stem} has two sizes: clean {pair[0].shape[:2]}, degraded {pair[1].shape[:2]}",
                hint="both pictures of a pair need the same height and width",
            )
        if min(pair[0].shape[:2]) >= min_side:
            (held_out if Path(stem) in held else train).append(np.concatenate(pair, axis=2))
    if not train or not held_out:
        raise UsageError(
            f"too few usable pairs: {len(train)} to train on, {len(held_out)} held out",
            hint=f"expected at least two pairs of {min_side} px a side; --set min_side=... allows smaller ones",
        )
    library = Library(train, held_out, skipped)
    report(
        f"{len(shared)} pairs, {len(train)} to train on ({library.megapixels:.0f} megapixels), "
        f"{len(held_out)} held out, {len(skipped)} unreadable, {alone} files without a partner"
    )
    return library


def _by_stem(folder: Path) -> dict[str, Path]:
    table: dict[str, Path] = {}
    for name in find_pictures(folder):
        stem = name.with_suffix("").as_posix()
        if stem in table:
            raise UsageError(f"{folder}: {table[stem]} and {name} would be the same half of a pair")
        table[stem] = name
    return table
