"""The tables of the model cards and of the README, filled from the committed results.

``python -m restore.bench.tables.cards`` rewrites them in place in a checkout; with ``--check`` it changes nothing and
ends with 1 where something would change. In a card it is every table above the line "Every row with protocol, machine
and command: `FILE.md`." whose header names a restorer; the header says which columns there are, and which measure where
it is not PSNR; the rows are those of FILE.json. In the README it is the table of tasks, row by row.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from restore.errors import RestoreError, UsageError
from restore.files import atomic_write
from restore.models.registry import ZOO

Summary = dict[tuple[str, str], dict[str, Any]]
_CARD_TABLE = re.compile(
    r"(?P<table>(?:^\|.*`.*\|\n\|[-| ]+\n)(?:^\|.*\n)+)"
    r"(?=(?:(?!^Every row).*\n)*?Every row with protocol, machine and command[^`\n]*: `(?P<file>[\w.-]+)\.md`)",
    re.M,
)
# What a table's first header names besides its pictures, the column of the results, and its digits.
_MEASURES = {"PSNR-Y": ("psnr_y", 2), "SSIM": ("ssim", 3), "CIEDE2000": ("ciede2000", 2), "PSNR": ("psnr", 2)}
_TASKS = re.compile(r"(?P<mark><!-- tasks -->\n)(?P<table>(?:^\|.*\n)+)", re.M)


def read_summary(path: Path) -> Summary:
    """The rows of a bench's result by degradation and model, in their order.

    Raises:
        UsageError: there is none.
    """
    if not path.exists():
        raise UsageError(
            f"expected results in {path}", hint="restore bench --preset NAME:TABLE --json FILE makes them"
        )
    return {(r["degradation"], r["model"]): r for r in json.loads(path.read_text())["summary"]}


def renewed_card(text: str, folder: Path) -> str:
    """A card with its tables as the results in ``folder`` have them."""

    def fill(match: re.Match[str]) -> str:
        lines = match["table"].splitlines()
        rows = card_rows(_cells(lines[0]), read_summary(folder / f"{match['file']}.json"))
        return "\n".join([*lines[:2], *map(_line, rows)]) + "\n"

    return _CARD_TABLE.sub(fill, text)


def card_rows(header: Sequence[str], results: Summary) -> list[list[str]]:
    """One row per degradation: what it was, ``degraded``, every model in backticks, its gain, its share, its time."""
    metric, digits = next((m for name, m in _MEASURES.items() if name in header[0]), _MEASURES["PSNR"])
    models = [cell.strip("`") for cell in header if cell.startswith("`")]
    start = "input" if "degraded" in header else models[1]
    rows = []
    for spec in dict.fromkeys(degradation for degradation, _ in results):
        ours = results[spec, models[0]]
        cells = [f"`{spec}`"]
        for cell in header[1:]:
            if cell == "gain":
                cells.append(f"{ours[metric] - results[spec, start][metric]:+.2f}")
            elif cell == "pictures improved":
                cells.append(f"{100 * ours['improved']:.0f} %")
            elif cell == "CPU s/MP":
                cells.append(f"{ours['cpu_seconds_per_megapixel']:.2f}")
            else:
                model = "input" if cell == "degraded" else cell.strip("`")
                cells.append(f"{results[spec, model][metric]:.{digits}f}")
        rows.append(cells)
    return rows


def renewed_readme(text: str, zoo: Path = ZOO) -> str:
    """The README with the table of tasks as the results have it: rows say model, degradation and rival."""

    def fill(match: re.Match[str]) -> str:
        head, rule, *lines = match["table"].splitlines()
        return (
            match["mark"] + "\n".join([head, rule, *(task_line(_cells(line), zoo) for line in lines)]) + "\n"
        )

    return _TASKS.sub(fill, text)


def task_line(cells: Sequence[str], zoo: Path) -> str:
    """``| model | degradation | before | after | score (rival) | seconds |`` of the first bench that holds them all."""
    name, spec = cells[0].strip("`"), cells[1].strip("`")
    rival = cells[4].partition("(")[2].strip("`)")
    metric = "psnr_y" if name.startswith("sr-x") else "psnr"
    for table in tomllib.loads((zoo / name / "bench.toml").read_text(encoding="utf-8")):
        held = read_summary(zoo / name / f"{table}.json")
        results = {model: row for (degradation, model), row in held.items() if degradation == spec}
        before = results.get("input") or results.get("bicubic")
        if name in results and before and (not rival or rival in results):
            ours = results[name]
            other = f"{results[rival][metric]:.2f} (`{rival}`)" if rival else ""
            numbers = [f"{before[metric]:.2f}", f"**{ours[metric]:.2f}**", other]
            return _line([cells[0], cells[1], *numbers, f"{ours['cpu_seconds_per_megapixel']:.2f}"])
    raise UsageError(f"no result of {name} holds {spec} and {rival or 'its input'}")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrites, and says what it changed; 1 with ``--check`` where something would change."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.cards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args(arguments)
    changed = 0
    try:
        for path in [*sorted(ZOO.glob("*/card.md")), ZOO.resolve().parent.parent / "README.md"]:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            new = renewed_readme(text) if path.name == "README.md" else renewed_card(text, path.parent)
            if new != text:
                changed += 1
                print(path, file=sys.stderr)
                if not given.check:
                    with atomic_write(path) as temporary:
                        temporary.write_text(new, encoding="utf-8")
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 1 if changed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
