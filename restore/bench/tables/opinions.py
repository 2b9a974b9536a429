"""How often the finders of marks, drops and haze take pictures for covered: clean ones, shrunk ones, degraded ones.

``python -m restore.bench.tables.opinions --data PHOTOGRAPHS --json FILE --markdown FILE`` is what the limits of
:mod:`restore.restorers.marks`, :mod:`restore.restorers.drops` and :mod:`restore.restorers.air` are chosen from, on
photographs of no benchmark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.data.library import read_rgb8, shrink_to
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.errors import RestoreError, UsageError
from restore.files import find_pictures
from restore.image import array_to_tensor, quantise
from restore.report import Column, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.restorers.air import HAZY, find_air
from restore.restorers.drops import WET, find_drops
from restore.restorers.look import look_windows
from restore.restorers.marks import MARKED, find_marks

KERNELS = ("lanczos", "box", "linear")
DEGRADED = (
    "scratches:severity=3", "scratches:severity=3,direction=film", "dust:severity=3", "crease:severity=3",
    "raindrop:severity=1", "raindrop:severity=3", "raindrop:severity=5", "rain:severity=3", "snow:severity=3",
    "haze:severity=1", "haze:severity=3", "fog:severity=3", "sandstorm:severity=3", "underwater:severity=3",
    "lowlight:severity=3", "blur:severity=3", "noise:severity=3", "jpeg:severity=3",
)  # fmt: skip
OPINIONS = {"marked": MARKED, "wet": WET, "hazy": HAZY}
COLUMNS = (
    Column("condition", "pictures"),
    Column("marked", "marked %", 1),
    Column("marked_if_suspected", "marked if suspected %", 1),
    Column("wet", "wet %", 1),
    Column("hazy", "hazy %", 1),
    Column("hazy_if_suspected", "hazy if suspected %", 1),
    Column("pictures", "number", 0),
)


def run_opinions(folder: Path, *, limit: int | None = None, side: int = 192, seed: int = 0) -> dict[str, Any]:
    """``{"schema", "summary", "shares", "environment"}``; shares are of every picture, in the order of the folder.

    Args:
        side: short side of the clean pictures that are shrunk by several kernels.

    Raises:
        UsageError: no pictures.
    """
    files = find_pictures(folder)[:limit]
    if not files:
        raise UsageError(f"no pictures in {str(folder)!r}")
    shares: dict[str, dict[str, list[float]]] = {}
    for file in files:
        for condition, x in _variants(read_rgb8(folder / file), file.as_posix(), side, seed):
            likely = {
                "marked": _marks(x),
                "wet": find_drops(look_windows(_reader(x), *x.shape[-2:]), device=x.device),
                "hazy": find_air(_reader(x), *x.shape[-2:], device=x.device),
            }
            for name, map_ in likely.items():
                shares.setdefault(condition, {}).setdefault(name, []).append(OPINIONS[name].share(map_))
    return {
        "schema": 1,
        "data": {"folder": folder.resolve().name, "pictures": len(files), "side": side, "seed": seed},
        "limits": {
            name: {"pixel": o.pixel, "alone": o.alone, "agreed": o.agreed} for name, o in OPINIONS.items()
        },
        "summary": [_summary(condition, found) for condition, found in shares.items()],
        "shares": shares,
        "environment": environment(device="cpu"),
    }


def _variants(pixels: np.ndarray, name: str, side: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    height, width = pixels.shape[:2]
    factor = min(height, width) / side
    clean = array_to_tensor(pixels)
    yield "clean", clean
    if factor > 1:
        for kernel in KERNELS:
            small = shrink_to(pixels, (round(width / factor), round(height / factor)), kernel)
            yield f"clean, {side} px by {kernel}", array_to_tensor(np.ascontiguousarray(small))
    for spec in DEGRADED:
        generator = draw.generator(draw.child_seed(seed, name, spec))
        yield spec, quantise(degradation([spec])(clean, generator=generator)[0])


def _reader(x: Tensor) -> Any:
    return lambda top, bottom, left, right: x[..., top:bottom, left:right]


def _marks(x: Tensor) -> Tensor:
    return find_marks(_reader(x), *x.shape[-2:], device=x.device)[1]


def _summary(condition: str, found: dict[str, list[float]]) -> dict[str, Any]:
    def passed(name: str, limit: float) -> float:
        return 100 * float(np.mean([share >= limit for share in found[name]]))

    return {
        "condition": condition,
        "marked": passed("marked", MARKED.alone),
        "marked_if_suspected": passed("marked", MARKED.agreed),
        "wet": passed("wet", WET.alone),
        "hazy": passed("hazy", HAZY.alone),
        "hazy_if_suspected": passed("hazy", HAZY.agreed),
        "pictures": len(found["wet"]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.opinions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    try:
        with torch.inference_mode():
            found = run_opinions(given.data, limit=given.limit)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    env, data = found["environment"], found["data"]
    command = f"python -m restore.bench.tables.opinions --data {data['folder']}/"
    command += f" --limit {given.limit}" if given.limit else ""
    page = (
        f"# What the finders take for covered\n\n{markdown_table(found['summary'], COLUMNS)}\n"
        f"```console\n$ {command}\n```\n\n{data['pictures']} pictures of {data['folder']}; {env['processor']}, "
        f"torch {env['torch']}, {env['date'][:10]}; commit {env['commit'] or 'none'}\n"
    )
    print(page)
    write_report(found, page, json=given.json, markdown=given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
