"""What a bench found: rows per picture, means per model, and everything needed to find it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from restore.bench.means import METRICS, unequal_counts
from restore.errors import UsageError, did_you_mean
from restore.metrics.table import MEASURES
from restore.names import show_name
from restore.report import Column, Comparison, markdown_table

SCHEMA = 1

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
        summary: per condition and model; means over pictures, see :func:`restore.bench.means.summarise`.
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
        lines = [f"failed: {show_name(f['image'])}{_of(f)}: {show_name(f['error'])}" for f in self.failures]
        lines += [f"left out: {s['model']} on {s['degradation']}: {s['reason']}" for s in self.skipped]
        named = ((f"{e['model']} on {e['degradation']}", e) for e in self.summary)
        return lines + [f"{name}: {line}" for name, entry in named for line in unequal_counts(entry)]

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
        """One sentence per model and condition whose mean is below a gate, or is not there at all.

        The mean is over pictures whose score is finite: one that equals its original does not lift the others.
        """
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


def _of(failure: Mapping[str, str]) -> str:
    return f" ({failure['model']}, {failure['degradation']})" if "model" in failure else ""
