"""Writes a pool of simulated pictures: ``python -m restore.train.diagnosis.simulate --data PHOTOS --out POOL``.

Every sample is two PNG files (given, truth) and a line of ``samples-*.jsonl``; a stopped run goes on, and several runs
with other ``--part K/N`` share the work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from restore.data.library import open_library
from restore.errors import RestoreError
from restore.files import write_file
from restore.train.diagnosis.pool import Sample, draw_sample

_SHARD = 50
LONG_SIDES = (1400, 1200, 1000, 860, 740, 640, 550, 470, 400, 350, 300)


def given_path(pool: Path, index: int) -> Path:
    """Where the picture of a sample lies; its truth has ``-truth`` in its name."""
    return pool / f"{index // 1000:03d}" / f"{index:06d}.png"


def truth_path(pool: Path, index: int) -> Path:
    """Where the truth of a sample lies."""
    return given_path(pool, index).with_name(f"{index:06d}-truth.png")


def write_pool(
    data: Path,
    out: Path,
    *,
    count: int,
    seed: int = 0,
    part: tuple[int, int] = (0, 1),
    first: int = 0,
    focus: str | None = None,
) -> None:
    """Draws samples ``first`` to ``first + count`` into ``out``.

    Raises:
        UsageError: no usable photograph in ``data``.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    library = open_library(data, long_sides=LONG_SIDES, min_downscale=1.25, hold_out=12, min_side=200)
    for shard in range(first // _SHARD, -(-(first + count) // _SHARD)):
        lines = out / f"samples-{shard:04d}.jsonl"
        if shard % part[1] != part[0] or lines.exists():
            continue
        rows = []
        for index in range(shard * _SHARD, (shard + 1) * _SHARD):
            sample = draw_sample(library.train, seed=seed, index=index, focus=focus)
            _write(out, index, sample)
            rows.append({"index": index, "severities": sample.severities, "factors": sample.factors})
        write_file(lines, "".join(json.dumps(row) + "\n" for row in rows).encode())
        print(f"shard {shard}", flush=True)


def _write(out: Path, index: int, sample: Sample) -> None:
    place = given_path(out, index)
    place.parent.mkdir(parents=True, exist_ok=True)
    for path, pixels in ((place, sample.pixels), (truth_path(out, index), sample.truth)):
        _, coded = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        write_file(path, coded.tobytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m restore.train.diagnosis.simulate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of clean photographs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--focus", help="a family that every picture has")
    parser.add_argument("--part", default="1/1", help="K/N: this run's share of the work")
    given = parser.parse_args(arguments)
    k, n = (int(text) for text in given.part.split("/"))
    try:
        write_pool(
            given.data,
            given.out,
            count=given.count,
            seed=given.seed,
            part=(k - 1, n),
            first=given.first,
            focus=given.focus,
        )
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
