"""Do intervals hold what they say? Fits, calibrates and measures a restorer's per-pixel intervals.

``python -m restore.bench.tables.coverage denoise --fit PHOTOS --calibrate OTHERS --test KODAK24 --table
intervals.json``: the size of the error is learned on PHOTOS, factors are set by conformal risk control on OTHERS per
noise level and pooled, and coverage is measured on KODAK24: with the right factor, with the pooled one, and with that
of every other level (as if the degradation had been taken for another). ``--table`` writes what ``restorer.interval``
reads, bound to the weights. With ``--use TABLE`` nothing is fitted and only the measuring is done.
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

from restore.bench.conditions import Condition, parse_condition
from restore.bench.run import list_pictures
from restore.bench.score import read_clean
from restore.bench.tables.conformal import Pair, coverage, fit_coefficients, ratios, risk_control, thinned
from restore.errors import RestoreError, UsageError
from restore.files import atomic_write
from restore.report import Column, dumps, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.resample import imresize
from restore.restorers import Restorer, load
from restore.restorers.interval import POOLED, Calibration

DEGRADATIONS = ("noise:sigma=15", "noise:sigma=25", "noise:sigma=50")
LEVELS = (0.8, 0.9, 0.95)
SIDE = 192
# Calibration and fit draw other noise than the test does, also on pictures of the same name.
FIT_SEED, CALIBRATION_SEED, TEST_SEED = 2, 1, 0


def pairs(
    folder: Path, condition: Condition, *, seed: int, limit: int | None, side: int | None, shrink: float = 1.0
) -> Iterator[Pair]:
    """Clean and degraded pictures of a folder, evenly chosen; ``side``: their middles of that size."""
    root, files, count = list_pictures(folder, None)
    chosen = np.linspace(0, count - 1, min(limit or count, count)).round().astype(int)
    for file in (files[i] for i in chosen):
        clean = read_clean(root / file)[1]
        if side is not None:  # cut before it is shrunk: the rest would be thrown away
            wide = round(side * shrink)
            top, left = (max(0, (n - wide) // 2) for n in clean.shape[-2:])
            clean = clean[..., top : top + wide, left : left + wide].contiguous()
        if shrink != 1.0:
            clean = imresize(clean, scale=1 / shrink).clamp(0, 1)
        yield clean, condition.degrade(clean, seed=seed, image=file.as_posix())


def calibrate(
    restorer: Restorer,
    conditions: Sequence[Condition],
    *,
    fit: Path,
    others: Path,
    limit: int,
    fit_limit: int,
    about: dict[str, Any],
) -> Calibration:
    """A table for ``restorer``: the regression on ``fit``, factors per condition and pooled on ``others``."""
    examples = (
        pair
        for condition in conditions
        for pair in pairs(fit, condition, seed=FIT_SEED, limit=fit_limit, side=SIDE, shrink=2.0)
    )
    coefficients = fit_coefficients(restorer, examples)
    scales: dict[str, dict[str, float]] = {}
    together: list[list[Tensor]] = []
    for condition in conditions:
        found = [
            thinned(ratios(restorer, pair, coefficients))
            for pair in pairs(others, condition, seed=CALIBRATION_SEED, limit=limit, side=SIDE)
        ]
        together.append(found)
        scales[condition.label] = _factors(found)
        print(f"{condition.label}: {scales[condition.label]}", file=sys.stderr)
    # One picture counts once: its risk is the mean over the conditions.
    scales[POOLED] = _factors([torch.cat(list(p)).sort().values for p in zip(*together, strict=True)])
    return Calibration(restorer.name, restorer.identity, coefficients, scales, about)


def _factors(found: list[Tensor]) -> dict[str, float]:
    return {f"{level:g}": float(f"{risk_control(found, level):.5g}") for level in LEVELS}


def measure(
    restorer: Restorer,
    table: Calibration,
    conditions: Sequence[Condition],
    *,
    test: Path,
    limit: int | None = None,
    crop: int | None = None,
) -> list[dict[str, Any]]:
    """One row per condition, level and calibration: ``coverage`` (mean over pictures), ``low``, ``high``, ``width``.

    ``width`` is the mean full width in units of 255.
    """
    rows = []
    for condition in conditions:
        sorted_ratios, widths = [], []
        for pair in pairs(test, condition, seed=TEST_SEED, limit=limit, side=crop):
            y, width = restorer.with_half_width(pair[1], table)
            sorted_ratios.append(((y - pair[0]).abs() / width).flatten().sort().values)
            widths.append(float(width.mean()) * 2 * 255)
        for name, factors in table.scales.items():
            kind = "right" if name == condition.label else "pooled" if name == POOLED else "mistaken"
            for level, factor in factors.items():
                shares = [coverage(r, factor) for r in sorted_ratios]
                row = {
                    "degradation": condition.label,
                    "calibrated": name,
                    "kind": kind,
                    "level": float(level),
                }
                row |= {"coverage": float(np.mean(shares)), "low": min(shares), "high": max(shares)}
                rows.append({**row, "width": factor * float(np.mean(widths)), "pictures": len(shares)})
    return rows


COLUMNS = (
    Column("degradation", "degradation"),
    Column("calibrated", "calibrated on"),
    Column("level", "level %", 0),
    Column("coverage", "coverage %", 2),
    Column("low", "worst picture", 2),
    Column("high", "best picture", 2),
    Column("width", "mean width /255", 2),
)


def markdown(rows: Sequence[dict[str, Any]], note: str) -> str:
    """The rows as a page."""
    shown = [
        {**r, **{k: 100 * r[k] for k in ("level", "coverage", "low", "high")}}
        for r in sorted(rows, key=lambda r: (r["level"] != 0.9, r["level"], r["degradation"]))
    ]
    return f"{note}\n{markdown_table(shown, COLUMNS, group='degradation')}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits, calibrates, measures; 1 where a right calibration is off by more than 2 points at 90 %."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.coverage", description=__doc__)
    parser.add_argument("model", help="a restorer that keeps the size")
    parser.add_argument("--fit", type=Path, help="photographs; shrunk by 2, their middles")
    parser.add_argument("--calibrate", type=Path, help="other pictures")
    parser.add_argument("--test", type=Path, help="pictures that are in neither")
    parser.add_argument("--use", type=Path, help="measure this table instead of making one")
    parser.add_argument("-d", "--degradation", action="append", help=f"default: {', '.join(DEGRADATIONS)}")
    parser.add_argument("--pictures", type=int, default=120, help="to calibrate on")
    parser.add_argument("--fit-pictures", type=int, default=24)
    parser.add_argument("--limit", type=int, help="only so many pictures of --test")
    parser.add_argument("--crop", type=int, help="only the middles of --test, of this side")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run(given: argparse.Namespace) -> int:
    conditions = [parse_condition(text) for text in given.degradation or DEGRADATIONS]
    if any(c.scale != 1 for c in conditions):
        raise UsageError("expected degradations that keep the size")
    restorer = load(given.model, precision=given.precision)
    made = environment(device=str(restorer.device))
    if given.use is not None:
        table = restorer.calibration(given.use)
    else:
        if given.fit is None or given.calibrate is None:
            raise UsageError("expected --fit and --calibrate, or --use TABLE")
        about = {
            "fit": f"{given.fit_pictures} pictures of {given.fit.name}, shrunk by 2, {SIDE} x {SIDE}",
            "calibrated": f"{given.pictures} pictures of {given.calibrate.name}, {SIDE} x {SIDE}",
            "method": "conformal risk control on the share of values outside, per picture",
            "command": _command(given),
            "commit": made["commit"],
            "date": made["date"],
        }
        limits = {"limit": given.pictures, "fit_limit": given.fit_pictures}
        table = calibrate(restorer, conditions, fit=given.fit, others=given.calibrate, about=about, **limits)
    if given.table is not None:
        _write(given.table, dumps(table.to_json()))
    if given.test is None:
        return 0
    rows = measure(restorer, table, conditions, test=given.test, limit=given.limit, crop=given.crop)
    off = [
        abs(r["coverage"] - r["level"]) for r in rows if r["kind"] == "right" and abs(r["level"] - 0.9) < 1e-9
    ]
    page = markdown(rows, _note(given, table, rows, max(off, default=0.0), made))
    print(page)
    result = {"schema": 1, "rows": rows, "calibration": table.to_json(), "environment": made}
    write_report(result, page, json=given.json, markdown=given.markdown)
    return 0 if max(off, default=0.0) <= 0.02 else 1


def _command(given: argparse.Namespace) -> str:
    words = ["python -m restore.bench.tables.coverage", given.model]
    for option in ("fit", "calibrate", "test"):
        if getattr(given, option) is not None:
            words += [f"--{option}", f"{getattr(given, option).name}/"]
    words += [f"-d {text}" for text in given.degradation or ()]
    words += [f"--crop {given.crop}"] if given.crop else []
    return " ".join([*words, f"--pictures {given.pictures} --fit-pictures {given.fit_pictures}"])


def _note(
    given: argparse.Namespace,
    table: Calibration,
    rows: Sequence[dict[str, Any]],
    off: float,
    made: dict[str, Any],
) -> str:
    middles = f" (middles of {given.crop} x {given.crop})" if given.crop else ""
    return f"""# Intervals of `{given.model}`: do they hold what they say?

Share of true values inside the interval, mean over the {rows[0]["pictures"]} pictures of {given.test.name}{middles},
all channels; what a degradation gives is neither clipped nor rounded. "calibrated on" is the degradation the factor was
set for: the picture's own, all of them together ("{POOLED}", used when nobody says), or another one
(what a mistake costs). At 90 %
the right ones are off by {100 * off:.1f} points at most. Fitted on {table.about.get("fit")}; calibrated on
{table.about.get("calibrated")}.

```console
$ {table.about.get("command")}
```

restore {made["restore"]} ({made["commit"]}), torch {made["torch"]}, {made["processor"]}, {made["date"]}.
"""


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
