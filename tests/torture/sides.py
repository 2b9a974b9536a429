"""Every side from 1 to 65 pixels through every restorer that is shipped: a picture of the right size comes back.

PYTHONPATH=tests python -m torture.sides [NAME ...] [--most 65]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

import restore
from restore.errors import RestoreError
from restore.restorers import Restorer, load, names
from restore.restorers.solvers import SOLVERS

# What a mean of everything that is restored may move by: nothing here may turn a picture into another one.
_DRAW = np.random.default_rng(0)


def shipped() -> list[str]:
    """Names of everything that restores without being told what happened."""
    return [
        name for name in names() if name not in SOLVERS or name in ("telea", "navier-stokes", "biharmonic")
    ]


def sides_of(name: str, sides: Sequence[int]) -> Iterator[str]:
    """What is wrong with ``name``, one line each, over pictures ``side x side``, ``side x 9`` and ``9 x side``."""
    restorer = load(name, device="cpu", precision="fp32")
    for side in sides:
        for height, width in {(side, side), (side, 9), (9, side)}:
            picture = _DRAW.integers(0, 256, (height, width, 3), np.uint8)
            mask = np.zeros((height, width), bool)
            mask[height // 2, width // 2] = min(height, width) > 1
            yield from _one(restorer, picture, mask)


def _one(restorer: Restorer, picture: np.ndarray, mask: np.ndarray) -> Iterator[str]:
    size = f"{restorer.name} at {picture.shape[0]} x {picture.shape[1]}"
    before = picture.copy()
    try:
        made = restorer(picture, mask=mask) if restorer.spec.mask else restorer(picture)
    except RestoreError as error:
        # In words is fine where a method needs more than there is; every size that it takes must work.
        if restorer.spec.kind != "classical":
            yield f"{size}: {error.message}"
        return
    except Exception as error:
        yield f"{size}: {type(error).__name__}: {error}"
        return
    scale = restorer.spec.scale
    expected = (round(picture.shape[0] * scale), round(picture.shape[1] * scale), 3)
    if made.shape != expected or made.dtype != np.uint8:
        yield f"{size}: expected {expected} uint8, got {made.shape} {made.dtype}"
    if not np.array_equal(picture, before):
        yield f"{size}: the input was changed"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--most", type=int, default=65)
    args = parser.parse_args()
    torch.set_num_threads(1)
    assert restore.__version__
    count = bad = 0
    for name in args.names or shipped():
        for line in sides_of(name, range(1, args.most + 1)):
            print(line, flush=True)
            bad += 1
        count += 1
    print(f"{count} restorers, sides 1 to {args.most}: {bad} findings")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
