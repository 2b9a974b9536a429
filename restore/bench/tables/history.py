"""The networks that the field's history is told with, each trained for the same processor time.

``python -m restore.bench.tables.history --data PHOTOGRAPHS --test KODAK24 --out runs/history --minutes 6`` trains every
network of :data:`DENOISERS` and :data:`ENLARGERS` by its own recipe (``models/zoo/NAME/recipe.toml``), on one thread,
for as many steps as fit in: a probe of a few steps says how many. The residual U-Net of the shipped models
gets the same minutes from random weights; the shipped weights stand below, and BM3D, which is told the noise.
Finished runs are not done again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from restore.bench.result import BenchResult
from restore.bench.run import run_bench
from restore.errors import RestoreError, TrainingError
from restore.files import atomic_write
from restore.models.registry import SHIPPED, ZOO, load_file, load_shipped
from restore.report import Column, dumps, markdown_table
from restore.report.environment import commit
from restore.report.write import write_report
from restore.restorers import load

# Recipes below models/zoo; the last of each row is the family of the shipped models, begun from nothing.
DENOISERS = ("mlp", "deconv-cnn", "dncnn", "ffdnet", "nafnet", "wavemix", "denoise/begin")
ENLARGERS = ("srcnn", "vdsr", "sr-x2")
NOISES = ("noise:sigma=15", "noise:sigma=25", "noise:sigma=50")
SCALE = "downsample:scale=2"
# Steps of the two probes, whose difference is pure training, and the least worth calling a run.
_PROBES, _LEAST = (20, 60), 100
COLUMNS = (
    Column("degradation", "degradation"),
    Column("model", "model"),
    Column("parameters", "parameters", 0),
    Column("steps", "steps", 0),
    Column("minutes", "CPU min", 1),
    Column("psnr", "PSNR", 2, best="high"),
    Column("psnr_y", "PSNR-Y", 2, best="high"),
    Column("gain", "gain", 2, best="high"),
    Column("ssim", "SSIM", 4, best="high"),
    Column("cpu_seconds_per_megapixel", "CPU s/MP", 2, best="low"),
)


def trained(name: str, data: Path, out: Path, *, minutes: float) -> dict[str, Any]:
    """Trains one network; ``{"weights", "steps", "minutes", "parameters"}``, kept in ``out/NAME.json``.

    Raises:
        TrainingError: a training failed.
    """
    record = out / f"{name.replace('/', '-')}.json"
    if record.is_file():
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        return found
    short, long = (_train(name, data, record.with_suffix(f".probe{n}"), n) for n in _PROBES)
    steps = max(_LEAST, round(60 * minutes / ((long - short) / (_PROBES[1] - _PROBES[0]))))
    run = record.with_suffix("")
    seconds = _train(name, data, run, steps, resume=(run / "last.pt").exists())
    weights = run / "best.safetensors"
    made = {"weights": str(weights), "steps": steps, "minutes": seconds / 60}
    made["parameters"] = sum(p.numel() for p in load_file(weights)[0].parameters())
    with atomic_write(record) as temporary:
        temporary.write_text(dumps(made), encoding="utf-8")
    return made


def _train(name: str, data: Path, run: Path, steps: int, *, resume: bool = False) -> float:
    """Processor seconds of ``restore train`` with so many steps; it is validated once, at the end."""
    recipe = ZOO / (f"{name}.toml" if "/" in name else f"{name}/recipe.toml")
    command = [sys.executable, "-m", "restore", "train", str(recipe), "--data", str(data), "--out", str(run)]
    command += ["--threads", "1", "--set", f"steps={steps}", "--set", f"validate_every={steps}"]
    command += ["--set", f"warmup={min(100, steps // 5)}", *(["--resume"] if resume else [])]
    print(f"{name}: {steps} steps", file=sys.stderr)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise TrainingError(f"training {name} failed: {done.stderr.strip().splitlines()[-1:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(
    runs: Mapping[str, dict[str, Any]], folder: Path, conditions: Sequence[str], others: Sequence[str]
) -> BenchResult:
    """One bench of all runs and of ``others`` by name."""
    models: list[Any] = [(label(name), load(run["weights"], engine="torch")) for name, run in runs.items()]
    return run_bench(
        folder, degradations=conditions, models=[*models, *others], engine="torch", thread_count=1
    )


def label(name: str) -> str:
    """What a recipe's network is called in the table."""
    return {"denoise/begin": "resunet", "sr-x2": "sr-x2 (begun here)"}.get(name, name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains what is missing, measures, prints the table and saves what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.history", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="photographs to train on")
    parser.add_argument("--test", type=Path, required=True, help="clean pictures never trained on")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs")
    parser.add_argument("--minutes", type=float, default=6, help="processor minutes of every training")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    at_start = commit()
    try:
        runs = {n: trained(n, given.data, given.out, minutes=given.minutes) for n in (*DENOISERS, *ENLARGERS)}
        results = [
            measure({n: runs[n] for n in DENOISERS}, given.test, NOISES, ["denoise", "bm3d:sigma=known"]),
            measure({n: runs[n] for n in ENLARGERS}, given.test, (SCALE,), ["bicubic:scale=2", "sr-x2"]),
        ]
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for result in results:
        result.environment["commit"] = at_start
    about = {label(name): run for name, run in runs.items()}
    for name in ("denoise", "sr-x2"):
        count = sum(p.numel() for p in load_shipped(name)[0].parameters())
        about[name] = {"parameters": count}
    rows = [
        {
            **row,
            "model": f"{row['model']} (shipped)" if row["model"] in SHIPPED else row["model"],
            **{k: about.get(row["model"], {}).get(k) for k in ("parameters", "steps", "minutes")},
        }
        for result in results
        for row in result.summary
    ]
    page = _page(rows, results, given)
    print(page)
    found = {"schema": 1, "summary": rows, "benches": [r.to_json() for r in results]}
    write_report(found, page, json=given.json, markdown=given.markdown)
    return 1 if any(r.failures for r in results) else 0


def _page(rows: Sequence[dict[str, Any]], results: Sequence[BenchResult], given: argparse.Namespace) -> str:
    env = results[0].environment
    protocols = "\n".join(f"- `{line}`" for r in results for line in r.protocol.split(" ; "))
    return f"""# Networks of the field's history, {given.minutes:g} processor minutes each

Each trained from random weights by its own recipe for about the same processor time on one thread: as many steps as a
probe promised to fit in; the column says what they took. All blind, or told the level that `noise-level` estimates
(BM3D: told the true one); measured on {given.test.name}, which none has seen. What minutes buy is shown, not what the
networks reach in days: the papers' own figures are higher.

{markdown_table(rows, COLUMNS, group="degradation")}
{protocols}

```console
$ python -m restore.bench.tables.history --data {given.data.name}/ --test {given.test.name}/ \\
    --out runs/history --minutes {given.minutes:g}
```

restore {env["restore"]} ({env["commit"]}), torch {env["torch"]}, {env["processor"]}, 1 thread, {env["date"]}.
"""


if __name__ == "__main__":
    sys.exit(main())
