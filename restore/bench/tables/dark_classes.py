"""Does brightening help a classifier? Pictures darkened at several severities, before and after every model.

``python -m restore.bench.tables.dark_classes --data IMAGENET -m gamma:gamma=0.4,clahe,enlighten`` with pictures whose
file names start with the class index. EfficientNet-Lite0 as published (224 px, centre crop); differences to the dark
input are paired, with confidence intervals by bootstrap over pictures.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore import restorers
from restore.bench import run as bench
from restore.bench.contenders import INPUT, split_models
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.errors import RestoreError, UsageError
from restore.files import read_picture
from restore.image import array_to_tensor, quantise
from restore.models.features import efficientnet_lite0
from restore.report import Column, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.runtime import threads

COLUMNS = (
    Column("degradation", "degradation"),
    Column("model", "model"),
    Column("top1", "top-1 %", 1, best="high"),
    Column("top5", "top-5 %", 1, best="high"),
    Column("gain1", "top-1 gain", 1, best="high"),
    Column("gain1_interval", "95 % interval"),
    Column("gain5", "top-5 gain", 1, best="high"),
    Column("gain5_interval", "95 % interval"),
    Column("images", "images", 0),
)
CLEAN = "clean"
SIDE = 224
RESAMPLES = 4000


def label_of(file: Path) -> int:
    """The class index a file name starts with (``0002_n01484850_...``).

    Raises:
        UsageError: a name without one.
    """
    found = re.match(r"(\d+)[_-]", file.name)
    if not found:
        raise UsageError(f"expected a file name that starts with its class index, got {file.name!r}")
    return int(found[1])


def view(x: Tensor) -> Tensor:
    """The classifier's input of ``1 x 3 x H x W``: short side to 256, the middle 224 x 224, (255 x - 127) / 128."""
    size = [round(256 * n / min(x.shape[-2:])) for n in x.shape[-2:]]
    x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    top, left = ((n - SIDE) // 2 for n in x.shape[-2:])
    return (255 * x[..., top : top + SIDE, left : left + SIDE] - 127) / 128


def run_classes(
    data: Path,
    models: Sequence[str],
    degradations: Sequence[str],
    *,
    limit: int | None = None,
    seed: int = 0,
    thread_count: int | None = None,
    precision: str = "auto",
    classifier: nn.Module | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Top-1 and top-5 of every model at every severity, and of the clean pictures.

    Raises:
        UsageError: an unknown name, no pictures, or the classifier's packages are missing.
    """
    root, files, total = bench.list_pictures(data, limit)
    labels = [label_of(file) for file in files]
    names = [name for name in split_models(models) if name != INPUT]
    hits: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    with threads(thread_count):
        judge = classifier or efficientnet_lite0()
        ready: dict[str, Any] = {
            name: restorers.load(name, device="cpu", precision=precision) for name in names
        }
        pipelines = {spec: degradation([part.strip() for part in spec.split("+")]) for spec in degradations}
        for file, label in zip(files, labels, strict=True):
            clean = array_to_tensor(read_picture(root / file).pixels).expand(-1, 3, -1, -1)
            hits.setdefault((CLEAN, CLEAN), []).append(_hit(judge, clean, label))
            for spec, pipeline in pipelines.items():
                g = draw.generator(draw.child_seed(seed, file.as_posix()))
                dark = quantise(pipeline(clean, generator=g)[0])
                hits.setdefault((spec, INPUT), []).append(_hit(judge, dark, label))
                for name, net in ready.items():
                    hits.setdefault((spec, name), []).append(_hit(judge, quantise(net(dark)), label))
            report(file.as_posix())
    summary = [_row(hits, *key) for key in hits]
    return {
        "schema": 1,
        "protocol": "EfficientNet-Lite0, short side 256 (bicubic), middle 224 x 224; pictures in and out of models in "
        "8 bits; gains over the dark input of the same pictures, percentile bootstrap of the paired "
        f"differences, {RESAMPLES} resamples",
        "environment": environment(device="cpu"),
        "data": {"folder": root.resolve().name, "pictures": len(files), "of": total},
        "options": {"degradations": list(degradations), "models": names, "seed": seed},
        "summary": summary,
        "hits": [
            {"degradation": d, "model": m, "top1": [int(a) for a, _ in h], "top5": [int(b) for _, b in h]}
            for (d, m), h in hits.items()
        ],
    }


@torch.no_grad()
def _hit(judge: nn.Module, x: Tensor, label: int) -> tuple[bool, bool]:
    best = judge(view(x))[0].topk(5).indices.tolist()
    return best[0] == label, label in best


def _row(hits: dict[tuple[str, str], list[tuple[bool, bool]]], spec: str, model: str) -> dict[str, Any]:
    mine = np.array(hits[spec, model], dtype=float)
    row: dict[str, Any] = {"degradation": spec, "model": model, "images": len(mine)}
    row |= {f"top{n}": 100 * float(mine[:, i].mean()) for i, n in enumerate((1, 5))}
    for i, n in enumerate((1, 5)):
        if model in (INPUT, CLEAN):
            row |= {f"gain{n}": None, f"gain{n}_interval": None}
            continue
        difference = 100 * (mine[:, i] - np.array(hits[spec, INPUT], dtype=float)[:, i])
        low, high = paired_interval(difference)
        row |= {f"gain{n}": float(difference.mean()), f"gain{n}_interval": f"{low:+.1f} to {high:+.1f}"}
    return row


def paired_interval(differences: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean of paired differences."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile(differences[picks].mean(1), [2.5, 97.5])
    return float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.dark_classes", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="pictures whose names start with their class"
    )
    parser.add_argument(
        "-m", "--model", action="append", required=True, help="restorers, separated by commas"
    )
    parser.add_argument(
        "-d", "--degradation", action="append", help="default: lowlight at severities 1 to 5; may be repeated"
    )
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--precision", default="auto", help="arithmetic of networks")
    parser.add_argument("--threads", type=int, help="processor threads; default: all")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    conditions = given.degradation or [f"lowlight:severity={s}" for s in range(1, 6)]
    try:
        found = run_classes(
            given.data, given.model, conditions, limit=given.limit, thread_count=given.threads,
            precision=given.precision, report=lambda text: print(text, file=sys.stderr),
        )  # fmt: skip
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    env, data = found["environment"], found["data"]
    words = [
        f"python -m restore.bench.tables.dark_classes --data {given.data.name}/ -m {','.join(given.model)}"
    ]
    words += [f'-d "{spec}"' for spec in given.degradation or []]
    words += [f"--limit {given.limit}"] if given.limit else []
    page = (
        f"{markdown_table(found['summary'], COLUMNS, group='degradation')}\n- `{found['protocol']}`\n\n"
        f"```console\n$ {' '.join(words)}\n```\n\n{data['pictures']} of {data['of']} pictures of {data['folder']}; "
        f"{env['processor']}, torch {env['torch']}, {env['date'][:10]}; commit {env['commit'] or 'none'}\n"
    )
    print(page)
    write_report(found, page, json=given.json, markdown=given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
