"""Our BM3D against the package ``bm3d``: as good, and how fast, in colour and in grey.

``python -m restore.bench.tables.bm3d --data PHOTOGRAPHS --json FILE --markdown FILE`` (the package must be installed;
it is no dependency, and its licence allows non-commercial research alone). Noise of sigma 15, 25 and 50 of 255,
unclipped, known to both; both on one thread, in turns, picture by picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from restore.bench.result import BenchResult
from restore.bench.run import run_bench
from restore.bench.tables.middles import middles
from restore.errors import RestoreError
from restore.report import Column, markdown_table
from restore.report.environment import commit, version
from restore.report.write import write_report

SIGMAS = (15, 25, 50)
OURS, PEER = "bm3d:sigma=known", "peer:bm3d"
BOUND = 0.15  # dB
COLUMNS = (
    Column("kind", "pictures"),
    Column("degradation", "degradation"),
    Column("noisy", "noisy", 2),
    Column("ours", "ours", 2),
    Column("theirs", "bm3d", 2),
    Column("difference", "difference", 2),
    Column("ours_ssim", "SSIM", 4),
    Column("theirs_ssim", "SSIM bm3d", 4),
    Column("ours_seconds", "CPU s/MP", 1),
    Column("theirs_seconds", "CPU s/MP bm3d", 1),
    Column("faster", "faster", 2),
)


def rows_of(result: BenchResult, kind: str) -> list[dict[str, Any]]:
    """One row per noise level: both means side by side."""
    found = {(e["degradation"], e["model"]): e for e in result.summary}
    rows = []
    for degradation in dict.fromkeys(d for d, _ in found):
        noisy, ours, theirs = (found[degradation, model] for model in ("input", OURS, PEER))
        rows.append(
            {
                "kind": kind,
                "degradation": degradation,
                "noisy": noisy["psnr"],
                "ours": ours["psnr"],
                "theirs": theirs["psnr"],
                "difference": ours["psnr"] - theirs["psnr"],
                "ours_ssim": ours["ssim"],
                "theirs_ssim": theirs["ssim"],
                "ours_seconds": ours["cpu_seconds_per_megapixel"],
                "theirs_seconds": theirs["cpu_seconds_per_megapixel"],
                "faster": theirs["cpu_seconds_per_megapixel"] / ours["cpu_seconds_per_megapixel"],
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for; 1 when ours is worse by more than the bound."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.bm3d", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--limit", type=int, default=8, help="how many of them, evenly spread")
    parser.add_argument("--side", type=int, default=256, help="side of their middles, pixels")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    at_start = commit()  # what is measured is the code as it was read, whatever is edited meanwhile
    rows, benches = [], []
    try:
        for kind in ("rgb", "grey"):
            with middles(given.data, count=given.limit, side=given.side, grey=kind == "grey") as folder:
                result = run_bench(
                    folder,
                    degradations=[f"noise:sigma={sigma}" for sigma in SIGMAS],
                    models=[OURS, PEER],
                    thread_count=1,
                )
            result.environment["commit"] = at_start
            rows += rows_of(result, kind)
            benches.append(result.to_json())
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    page = markdown(rows, benches[0]["environment"], given)
    print(page)
    write_report(
        {"schema": 1, "rows": rows, "benches": benches}, page, json=given.json, markdown=given.markdown
    )
    return 0 if all(row["difference"] >= -BOUND for row in rows) else 1


def markdown(rows: Sequence[dict[str, Any]], env: dict[str, Any], given: argparse.Namespace) -> str:
    """The table as a Markdown page."""
    return f"""# BM3D against the package bm3d {version("bm3d")}

The middle {given.side} x {given.side} pixels of {given.limit} photographs of {given.data.resolve().name}. PSNR in dB
(mean of pictures) and SSIM; the input is not clipped, the output is. Processor seconds per megapixel on one thread.

{markdown_table(rows, COLUMNS, group="kind")}
```console
$ python -m restore.bench.tables.bm3d --data {given.data.name} --limit {given.limit} --side {given.side}
```

{env["processor"]}, torch {env["torch"]}, {env["date"][:10]}, commit {env["commit"] or "none"}
"""


if __name__ == "__main__":
    sys.exit(main())
