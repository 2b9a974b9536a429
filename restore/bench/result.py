"""What a bench found: rows per picture, means per model, and everything needed to find it again."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from restore.errors import UsageError, did_you_mean
from restore.metrics.table import MEASURES
from restore.report import Column, Comparison, markdown_table

SCHEMA = 1
METRICS = ("psnr", "psnr_y", "ssim", "ssim_y")

COLUMNS = (
    Column("degradation", "degradation"),
    Column("model", "model"),
    Column("psnr", "PSNR", 2, best="high"),
    Column("gain", "gain", 2, best="high"),
    Column("improved", "improved", 2, best="high"),
    Column("psnr_y", "PSNR-Y", 2, best="high"),
    Column("ssim", "SSIM", 4, best="high"),
    Column("ssim_y", "SSIM-Y", 4, best="high"),
    Column("seconds_per_megapixel", "s/MP", 3, best="low"),
    Column("cpu_seconds_per_megapixel", "CPU s/MP", 3, best="low"),
    Column("peak_memory_mb", "peak MB", 0, best="low"),
    Column("images", "images", 0),
)
ROW_COLUMNS = (
    Column("image", "image"),
    *(
        c
        for c in COLUMNS
        if c.key not in ("gain", "improved", "peak_memory_mb", "images") and "megapixel" not in c.key
    ),
    Column("seconds", "seconds", 3),
)


@dataclass
class BenchResult:
    """Everything a bench file holds, and pictures to look at beside it.

    Args:
        protocol: one line per condition, joined by `` ; ``: every choice that changes the numbers.
        environment: versions, commit, processor, date; ``data``: the folder's name and a hash of its pixels;
            ``options``: what was asked for.
        rows: per picture, condition and model.
        summary: per condition and model; means over pictures, see :func:`summarise`.
        failures: pictures or (picture, model) pairs that are missing, with the reason.
        skipped: (model, degradation) pairs that do not fit because their scales differ.
        looks: crops of some pictures, for sheets and pages; not in the file.
    """

    protocol: str
    environment: dict[str, Any]
    data: dict[str, Any]
    options: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: list[dict[str, Any]]
    failures: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    looks: list[Comparison] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The bench file as one object; :func:`restore.report.dumps` writes it as strict JSON."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "environment": self.environment,
            "data": self.data,
            "options": self.options,
            "summary": self.summary,
            "failures": self.failures,
            "skipped": self.skipped,
            "rows": self.rows,
        }

    def notes(self) -> list[str]:
        """One line for everything that is in no row."""
        lines = [f"failed: {f['image']}{_of(f)}: {f['error']}" for f in self.failures]
        return lines + [f"left out: {s['model']} on {s['degradation']}: {s['reason']}" for s in self.skipped]

    def markdown(self) -> str:
        """The summary as a Markdown table, with the protocol and the machine below."""
        env, data = self.environment, self.data
        table = markdown_table(self.summary, self.columns, group="degradation")
        protocols = "".join(f"- `{p}`\n" for p in self.protocol.split(" ; "))
        notes = "".join(f"- {note}\n" for note in self.notes())
        pictures = f"{data['pictures']} pictures of {data['folder']} (`{data['pixels']}`)"
        machine = f"{env['processor']}, {env['threads']} threads, torch {env['torch']}, {env['date'][:10]}"
        made = f"{pictures}; {machine}; commit {env['commit'] or 'none'}"
        return f"{table}\n{protocols}{notes}\n```console\n$ {self.command}\n```\n\n{made}\n"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the summary: the usual ones, and what was asked for besides."""
        more = self._asked
        if self.options.get("sets"):
            more = [
                *more,
                Column("frechet", "Frechet", 2, best="low"),
                Column("kernel", "kernel x1000", 3, best="low"),
            ]
        place = next(i for i, c in enumerate(COLUMNS) if c.key == "ssim_y") + 1
        return (*COLUMNS[:place], *more, *COLUMNS[place:])

    @property
    def row_columns(self) -> tuple[Column, ...]:
        """The columns of single pictures: the usual ones, and what was asked for besides."""
        return (*ROW_COLUMNS[:-1], *self._asked, ROW_COLUMNS[-1])

    @property
    def _asked(self) -> list[Column]:
        found = {name: MEASURES[name] for name in self.options.get("metrics", ())}
        return [Column(name, m.label, m.digits, best=m.best) for name, m in found.items()]

    @property
    def command(self) -> str:
        """The command that makes these numbers again, run beside the folder of the pictures."""
        given = self.options
        words = ["restore", "bench", *(["--luma"] if given.get("luma") else [])]
        for label in given["degradations"]:
            words += ["-d", label]
        words += ["-m", ",".join(given["models"]), "--data", f"{self.data['folder']}/"]
        plain = {
            "seed": 0,
            "limit": None,
            "precision": "auto",
            "engine": "auto",
            "tile": None,
            "threads": None,
        }
        for key, usual in plain.items():
            if given.get(key) != usual:
                words += [f"--{key}", str(given[key])]
        if given.get("metrics"):
            words += ["--metric", ",".join(given["metrics"])]
        if given.get("sets"):
            words += ["--sets", given["sets"]]
        return shlex.join(words)

    def missed(self, gates: Mapping[str, float]) -> list[str]:
        """One sentence per model and condition whose mean is below a gate, or is not there at all."""
        found = []
        for entry in self.summary:
            for metric, least in gates.items():
                if entry["judged"] and not entry[metric] >= least:
                    found.append(
                        f"{entry['model']} on {entry['degradation']}: {metric} {entry[metric]:.4g}, "
                        f"expected at least {least:g}"
                    )
        return found


def parse_gates(texts: Sequence[str]) -> dict[str, float]:
    """``["psnr=30", "ssim=.8"]`` as numbers by metric.

    Raises:
        UsageError: an unknown metric, or no number.
    """
    gates = {}
    for text in texts:
        metric, _, value = text.partition("=")
        if metric not in METRICS:
            raise UsageError(f"unknown metric {metric!r} in {text!r}", hint=did_you_mean(metric, METRICS))
        try:
            gates[metric] = float(value)
        except ValueError:
            raise UsageError(f"expected {metric}=NUMBER, got {text!r}") from None
    return gates


def summarise(
    rows: Sequence[Mapping[str, Any]],
    *,
    model: str,
    degradation: str,
    measures: Sequence[str] = (),
    **extra: Any,
) -> dict[str, Any]:
    """Means of one model under one condition.

    Scores are means of the pictures' scores (PSNR: of their dB); a score that is not defined for a picture
    (SSIM below 11 px) is left out. Times are total seconds by total megapixels of what comes out. NaN:
    nothing to average.
    """
    mine = [r for r in rows if r["model"] == model and r["degradation"] == degradation]
    timed = [r for r in mine if r["seconds"] is not None]
    area = sum(r["megapixels"] for r in timed)

    def rate(key: str) -> float | None:
        return sum(r[key] for r in timed) / area if timed else None

    return {
        "model": model,
        "degradation": degradation,
        **{m: mean([r[m] for r in mine]) for m in (*METRICS, *measures)},
        "seconds_per_megapixel": rate("seconds"),
        "cpu_seconds_per_megapixel": rate("cpu_seconds"),
        "images": len(mine),
        **extra,
    }


def add_gains(summary: Sequence[dict[str, Any]]) -> None:
    """PSNR over the starting row of the same condition, as ``gain``."""
    start = {e["degradation"]: e["psnr"] for e in summary if not e["judged"]}
    for entry in summary:
        gain = entry["psnr"] - start.get(entry["degradation"], math.nan)
        entry["gain"] = None if not entry["judged"] else gain


def add_shares(summary: Sequence[dict[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """The share of pictures whose PSNR is above that of the starting row, as ``improved``."""
    scores = {(r["degradation"], r["model"], r["image"]): r["psnr"] for r in rows}
    start = {e["degradation"]: e["model"] for e in summary if not e["judged"]}
    for entry in summary:
        condition = entry["degradation"]
        better = [
            scores[key] > scores[condition, start[condition], key[2]]
            for key in scores
            if key[:2] == (condition, entry["model"]) and (condition, start.get(condition), key[2]) in scores
        ]
        entry["improved"] = sum(better) / len(better) if better and entry["judged"] else None


def mean(values: Sequence[float]) -> float:
    """The mean of the defined ones; NaN when there are none."""
    defined = [v for v in values if not math.isnan(v)]
    return sum(defined) / len(defined) if defined else math.nan


def _of(failure: Mapping[str, str]) -> str:
    return f" ({failure['model']}, {failure['degradation']})" if "model" in failure else ""
