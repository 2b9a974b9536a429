"""How often pictures of folders are taken for drawn, as they are and after faults.

``python -m restore.bench.tables.drawn FOLDER... --condition noise:sigma=15 --every 4`` prints a table: low shares are
wanted of photographs, high ones of drawings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from restore.data.library import read_rgb8
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.diagnosis.measure_drawn import read_drawn
from restore.errors import RestoreError, UsageError
from restore.files import find_pictures
from restore.image import array_to_tensor, quantise
from restore.report import Column, markdown_table

CLEAN = "as it is"
COLUMNS = (
    Column("folder", "pictures"),
    Column("condition", "condition"),
    Column("drawn", "taken for drawn %", 1),
    Column("pictures", "number", 0),
)


def share_drawn(folder: Path, condition: str, *, every: int = 1, seed: int = 0) -> dict[str, object]:
    """A row: the share (percent) of a folder's pictures, every so many, that is taken for drawn.

    Raises:
        UsageError: no pictures, or an unknown condition.
    """
    names = find_pictures(folder)[::every]
    if not names:
        raise UsageError(f"no pictures in {folder}")
    found = []
    for name in names:
        x = array_to_tensor(read_rgb8(folder / name))
        if condition != CLEAN:
            generator = draw.generator(draw.child_seed(seed, name.as_posix(), condition))
            x = quantise(degradation([condition])(x, generator=generator)[0])
        verdict = read_drawn(
            lambda t, b, le, r, x=x: x[:, :, t:b, le:r],  # type: ignore[misc]
            x.shape[-2],
            x.shape[-1],
        )
        found.append(verdict.is_drawn)
    return {
        "folder": folder.name,
        "condition": condition,
        "drawn": 100 * float(np.mean(found)),
        "pictures": len(found),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 done, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.drawn", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--condition", action="append", default=[], help="a degradation; may be repeated")
    parser.add_argument("--every", type=int, default=1, help="take every so many pictures")
    args = parser.parse_args(argv)
    try:
        rows = [
            share_drawn(folder, condition, every=args.every)
            for folder in args.folders
            for condition in (CLEAN, *args.condition)
        ]
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(markdown_table(rows, COLUMNS))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
