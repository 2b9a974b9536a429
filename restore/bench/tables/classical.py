"""Every training-free restorer, and the shipped denoiser, on what it is meant for.

``python -m restore.bench.tables.classical --data PHOTOGRAPHS --json FILE --markdown FILE`` runs one ``restore bench``
per task on the middles of a few photographs. Methods that need a noise level, a point spread function or a quality are
given the true one, but for those whose work is to find it (``blind-deblur``, ``reapplication``).
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
from restore.report.environment import commit
from restore.report.write import write_report

_NOISY = "noise:sigma=2.55"
_BLUR, _DISC = f"blur:sigma=1.6 + {_NOISY}", f"defocus:radius=3 + {_NOISY}"
_DENOISERS = (
    "bm3d",
    "nlm",
    "tv",
    "tikhonov",
    "sliding-dct",
    "wavelet",
    "ksvd",
    "learned-transform",
    "bilateral",
)
_ENLARGERS = ("nearest", "bicubic", "lanczos")
_INVERSES = {
    "wiener": "sigma=2.55",
    "unsupervised-wiener": "",
    "richardson-lucy": "",
    "hyper-laplacian": "sigma=2.55",
    "hyper-laplacian:power=1": "sigma=2.55",
}


def _inverses(psf: str) -> tuple[str, ...]:
    made = []
    for name, values in _INVERSES.items():
        made.append(",".join(filter(None, (f"{name}{',' if ':' in name else ':'}{psf}", values))))
    return (*made, "blind-deblur")


# Degradations and models by task; a task may stand in several rows.
TABLE: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "denoise",
        ("noise:sigma=15", "noise:sigma=25", "noise:sigma=50"),
        ("denoise:sigma=known", *(f"{name}:sigma=known" for name in _DENOISERS), "ksvd:sigma=known,coding=lasso"),
    ),
    ("denoise", ("impulse:amount=0.05",), ("median", "denoise", "bm3d")),
    ("deblur", (_BLUR,), _inverses("blur=1.6")),
    ("deblur", (_DISC,), _inverses("disc=3")),
    ("deblur", (f"motion:length=20 + {_NOISY}",), ("blind-deblur",)),
    ("upscale", tuple(f"downsample:scale={s}" for s in (2, 3, 4)), (*_ENLARGERS, "back-projection")),
    ("lowlight", ("lowlight:severity=2", "lowlight-gamma:severity=2"), ("gamma", "equalize", "clahe", "lime")),
    ("dehaze", ("haze:severity=2", "haze:severity=4"), ("dcp",)),
    ("underwater", ("underwater:severity=3",), ("white-balance", "fusion")),
    ("derain", ("rain:severity=1", "rain:severity=3"), ("directional",)),
    ("dejpeg", tuple(f"jpeg:quality={q}" for q in (10, 20, 40)), ("reapplication",)),
)  # fmt: skip
COLUMNS = (
    Column("task", "task"),
    Column("degradation", "degradation"),
    Column("model", "model"),
    Column("psnr", "PSNR", 2, best="high"),
    Column("gain", "gain", 2, best="high"),
    Column("ssim", "SSIM", 4, best="high"),
    Column("ssim_gain", "SSIM gain", 4, best="high"),
    Column("cpu_seconds_per_megapixel", "CPU s/MP", 2, best="low"),
)


def run_table(
    data: Path, *, tasks: Sequence[str] | None = None, threads: int | None = None
) -> list[BenchResult]:
    """One result per row of :data:`TABLE`, on every picture of ``data``; ``tasks``: only these."""
    made = []
    for task, degradations, models in TABLE:
        if tasks is None or task in tasks:
            print(f"{task}: {', '.join(degradations)}", file=sys.stderr)
            made.append(run_bench(data, degradations=degradations, models=models, thread_count=threads))
            for entry in made[-1].summary:
                entry["task"] = task
    return made


def summary(results: Sequence[BenchResult]) -> list[dict[str, Any]]:
    """The means of all, each with what it gains in SSIM over the degraded picture."""
    rows = [dict(entry) for result in results for entry in result.summary]
    start = {row["degradation"]: row["ssim"] for row in rows if not row["judged"]}
    for row in rows:
        row["ssim_gain"] = row["ssim"] - start[row["degradation"]] if row["judged"] else None
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for; 1 when a picture or a model failed."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.classical", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--limit", type=int, default=8, help="how many of them, evenly spread")
    parser.add_argument("--side", type=int, default=256, help="side of their middles, pixels")
    parser.add_argument("--task", action="append", help="only this task; may be repeated")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    at_start = commit()  # what is measured is the code as it was read, whatever is edited meanwhile
    try:
        with middles(given.data, count=given.limit, side=given.side) as folder:
            results = run_table(folder, tasks=given.task, threads=given.threads)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for result in results:
        result.environment["commit"] = at_start
    rows = summary(results)
    page = markdown(rows, results, given)
    print(page)
    found = {"schema": 1, "summary": rows, "benches": [r.to_json() for r in results]}
    write_report(found, page, json=given.json, markdown=given.markdown)
    return 1 if any(r.failures for r in results) else 0


def markdown(
    rows: Sequence[dict[str, Any]], results: Sequence[BenchResult], given: argparse.Namespace
) -> str:
    """The table as a Markdown page."""
    env, data = results[0].environment, results[0].data
    tasks = "".join(f" --task {task}" for task in given.task or ())
    notes = "".join(f"- {note}\n" for result in results for note in result.notes())
    return f"""# Training-free restorers

The middle {given.side} x {given.side} pixels of {data["pictures"]} photographs of {given.data.resolve().name}. PSNR in
dB and SSIM on RGB; "gain" is over the degraded picture (enlargement: over bicubic), and a minus is a loss. CPU s/MP:
processor seconds per megapixel of what comes out, {given.threads} thread(s). What a degradation gives is neither
clipped nor rounded.

{markdown_table(rows, COLUMNS, group="degradation")}
{notes}
```console
$ python -m restore.bench.tables.classical --data {given.data.name} --limit {given.limit} --side {given.side}{tasks}
```

{env["processor"]}, torch {env["torch"]}, {env["date"][:10]}, commit {env["commit"] or "none"}
"""


if __name__ == "__main__":
    sys.exit(main())
