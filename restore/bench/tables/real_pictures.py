"""What `auto` does on really degraded pictures: what is treated rightly, wrongly and not at all, and gains.

``python -m restore.bench.tables.real_pictures --data REAL [--half odd] [--graphics FOLDER] --markdown FILE``: a
folder per kind (see :mod:`restore.diagnosis.real_set`); ``--graphics`` are drawn pictures, to come back as they are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta

from restore.diagnosis.findings import Diagnosis
from restore.diagnosis.real_set import FITTING, RealPicture, list_real
from restore.errors import RestoreError
from restore.files import Picture, find_pictures, read_picture
from restore.report import Column, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.restorers import Restorer, load

# A picture that nothing is wrong with must keep this many decibels against itself.
KEPT = 45.0
CLEAN_KINDS = ("ordinary", "graphics")
HALVES = {"even": (0,), "odd": (1,), "all": (0, 1)}


def psnr_of(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB of two uint8 pictures, at most 99."""
    if a.shape != b.shape:
        return 0.0
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return min(99.0, 10 * float(np.log10(255**2 / max(error, 1e-9))))


def interval_of(hits: int, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, count - hits)) if hits < count else 1.0
    return low, high


def restore_one(auto: Restorer, picture: Picture) -> tuple[Diagnosis, np.ndarray, np.ndarray, float]:
    """The diagnosis, the 8-bit pixels before and after, and the CPU seconds of looking."""
    pixels = picture.pixels if picture.pixels.dtype == np.uint8 else (picture.pixels >> 8).astype(np.uint8)
    begun = time.process_time()
    diagnosis = auto.diagnose(pixels, tables=picture.tables)
    seconds = time.process_time() - begun
    assert diagnosis is not None
    return diagnosis, pixels, auto.restore_pixels(pixels, diagnosis=diagnosis), seconds


def score(auto: Restorer, real: RealPicture) -> dict[str, Any]:
    """One row: what was done, whether it fits, and with truth the gain."""
    picture = read_picture(real.path)
    diagnosis, before, after, seconds = restore_one(auto, picture)
    acted = [name.partition(":")[0] for name in diagnosis.actions]
    same = before.shape == after.shape and bool((before == after).all())
    row: dict[str, Any] = {
        "kind": real.kind, "image": real.path.name, "actions": list(diagnosis.actions), "changed": not same,
        "fitting": any(name in FITTING[real.kind] for name in acted),
        "unfitting": any(name not in FITTING[real.kind] for name in acted),
        "against itself": psnr_of(before, after), "look": seconds,
        "megapixels": before.shape[0] * before.shape[1] / 1e6,
        "said": str(diagnosis),
    }  # fmt: skip
    if real.truth is not None:
        truth = read_picture(real.truth).pixels
        if truth.shape == before.shape:
            row |= {"before": psnr_of(before, truth), "after": psnr_of(after, truth)}
    return row


def per_kind(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per kind: shares in percent with bounds, and mean and worst gain where truth is there."""
    table = []
    for kind in [*FITTING, "graphics"]:
        mine = [r for r in rows if r["kind"] == kind]
        if not mine:
            continue
        fitting = sum(r["fitting"] for r in mine)
        low, high = interval_of(fitting, len(mine))
        gains = [r["after"] - r["before"] for r in mine if "before" in r]
        table.append(
            {
                "kind": kind, "pictures": len(mine), "fitting": 100 * fitting / len(mine),
                "bounds": f"{100 * low:.0f} to {100 * high:.0f}",
                "unfitting": 100 * sum(r["unfitting"] for r in mine) / len(mine),
                "left": 100 * sum(not r["changed"] for r in mine) / len(mine),
                "below 45 dB": sum(r["against itself"] < KEPT for r in mine) if kind in CLEAN_KINDS else None,
                "truths": len(gains) or None, "gain": float(np.mean(gains)) if gains else None,
                "worst": min(gains) if gains else None,
            }
        )  # fmt: skip
    return table


def markdown(table: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], note: str) -> str:
    """The page: the table by kind, and what was done to every picture."""
    columns = (
        Column("kind", "kind"), Column("pictures", "pictures", 0), Column("fitting", "fitting %", 0),
        Column("bounds", "95 % bounds"), Column("unfitting", "unfitting %", 0), Column("left", "left %", 0),
        Column("below 45 dB", "below 45 dB", 0), Column("truths", "truths", 0), Column("gain", "gain dB", 2),
        Column("worst", "worst dB", 2),
    )  # fmt: skip
    done = "".join(
        f"- {r['kind']}/{r['image']}: {', '.join(r['actions']) or 'left as it is'}\n" for r in rows
    )
    return f"{note}\n{markdown_table(table, columns)}\n## Every picture\n\n{done}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and saves; 0 whatever was found."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.real_pictures", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=list(HALVES), default="odd")
    parser.add_argument("--graphics", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    try:
        auto = load("auto", device="cpu")
        rows = []
        for real in list_real(given.data):
            if real.number % 2 in HALVES[given.half]:
                rows.append(score(auto, real))
                print(f"{real.kind}/{real.path.name}: {rows[-1]['said']}", file=sys.stderr, flush=True)
        for folder in given.graphics:
            for name in find_pictures(folder):
                one = RealPicture("ordinary", folder / name, 0, None)
                rows.append({**score(auto, one), "kind": "graphics"})
                print(f"{name}: {rows[-1]['said']}", file=sys.stderr, flush=True)
        table, made = per_kind(rows), environment(device="cpu")
        page = markdown(table, rows, _note(given, rows, made))
        print(page)
        write_report(
            {"schema": 1, "table": table, "environment": made, "rows": rows},
            page, json=given.json, markdown=given.markdown,
        )  # fmt: skip
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _note(given: argparse.Namespace, rows: Sequence[dict[str, Any]], made: dict[str, Any]) -> str:
    wrong = [r for r in rows if r["kind"] not in (*CLEAN_KINDS, "web")]
    acted, bad = sum(r["fitting"] for r in wrong), sum(r["unfitting"] for r in wrong)
    clean = [r for r in rows if r["kind"] in CLEAN_KINDS]
    harmed = sum(r["against itself"] < KEPT for r in clean)
    looks = sum(r["look"] for r in rows) / max(sum(r["megapixels"] for r in rows), 1e-9)
    return f"""# `auto` on really degraded pictures

{given.half} half of a set of pictures from public research repositories
(the even half chose ranges and thresholds, none trained a network).
A fitting restorer acts on **{acted} of {len(wrong)}** degraded pictures, an unfitting one
on {bad}; of {len(clean)} ordinary and drawn ones **{harmed}** are changed to below {KEPT:.0f} dB against themselves.
Looking costs {looks:.2f} CPU s per megapixel.

```console
$ python -m restore.bench.tables.real_pictures --data {given.data.name}/ --half {given.half}
```

restore {made["restore"]} ({made["commit"]}), {made["processor"]}, {made["date"]}.
"""


if __name__ == "__main__":
    sys.exit(main())
