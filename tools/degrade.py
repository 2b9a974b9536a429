"""``restore degrade``: a folder of pictures in, a folder of degraded ones and their parameters out."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from restore.errors import EXIT_SOME_FAILED
from restore.tools import run as shared
from restore.tools.output import FolderProgress, emit_json, report_folder
from restore.tools.reports import check_targets


def degrade(
    sources: shared.Sources = None,
    out: shared.Out = None,
    inputs: shared.Input = None,
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            "--degradation", "-d", metavar="NAME:key=value", help="Repeat for several, done in order."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Each picture's own seed is a hash of this and its path.")] = 0,
    severity: Annotated[
        float | None,
        typer.Option(metavar="0-5", help="For all of them; fractions interpolate.", show_default=False),
    ] = None,
    params: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record what was drawn, one JSON line a picture.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Apply recorded parameters instead: the same bytes again."),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Show every degradation with its knobs.")] = False,
    format: shared.Format = "keep",
    quality: shared.Quality = None,
    overwrite: shared.Overwrite = False,
    shard: shared.Shard = None,
    dry_run: shared.DryRun = False,
    json: shared.Json = None,
    threads: shared.Threads = None,
) -> None:
    """Degrade every picture of a folder into another, keeping subfolders.

    Results are clipped and rounded to the depth of the file. Neither the order of the pictures nor what else
    is in the folder changes a result. The same command continues a run that was stopped.
    """
    if list_all:
        _list(json)
        return
    check_targets({"--json": json})
    source, target = shared.places(sources, inputs, out)
    try:
        # Heavy imports only here: --help must be quick.
        from restore.folder import degrade_folder
        from restore.runtime import threads as computing_with

        with FolderProgress("degraded") as progress, computing_with(threads):
            result = degrade_folder(
                source,
                target,
                degradation=degradation or None,
                seed=seed,
                severity=severity,
                params=params,
                replay=replay,
                overwrite=overwrite,
                shard=shard,
                dry_run=dry_run,
                format=format,
                quality=quality,
                on_event=progress,
            )
    except KeyboardInterrupt:
        shared.explain_interrupt(overwrite)
        raise
    report_folder(result, progress, target, dry_run=dry_run, to_stdout=json != "-")
    emit_json(result.to_json(), json)
    if result.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _list(json: str | None) -> None:
    from restore.degradations.presets import TABLE

    table = {name: [_knob(key, knob) for key, knob in d.knobs.items()] for name, d in sorted(TABLE.items())}
    if json != "-":
        for name, knobs in table.items():
            sys.stdout.write(f"{name}\n")
            for knob in knobs:
                sys.stdout.write(f"  {knob['name']:<12} {_range(knob)}\n  {'':<12} {knob['doc']}\n")
        sys.stdout.write(
            "\nEvery one also takes severity, 0 to 5. low..high draws uniformly for each picture.\n"
        )
    emit_json(table, json)


def _knob(key: str, knob: Any) -> dict[str, Any]:
    """A knob in the units of a name, JSON-able (None: no upper end)."""
    scaled = [[float(f"{v / knob.unit:.6g}") for v in ends] for ends in (knob.legal, knob.span)]
    legal, drawn = [[v if math.isfinite(v) else None for v in ends] for ends in scaled]
    default = knob.default
    if isinstance(default, float | int) and knob.unit != 1.0:
        default = float(f"{default / knob.unit:.6g}")
    return {
        "name": key,
        "doc": knob.doc,
        "choices": list(knob.choices),
        "legal": None if knob.choices else legal,
        "drawn_from": None if knob.choices or default is not None else drawn,
        "default": default,
        "follows_severity": knob.levels is not None,
        "whole": knob.whole,
        "unit": knob.unit,
    }


def _range(knob: dict[str, Any]) -> str:
    if knob["choices"]:
        return f"{' | '.join(knob['choices'])} (default {knob['default']})"
    low, high = knob["legal"]
    text = f"{low:g} to {high:g}" if high is not None else f"from {low:g}"
    if knob["drawn_from"]:
        text += ", drawn from {:g} to {:g}".format(*knob["drawn_from"])
    if knob["default"] is not None:
        text += f", default {knob['default']:g}"
    if not math.isclose(knob["unit"], 1.0):
        text += f", one is {knob['unit']:.4g}" if not _is_255th(knob["unit"]) else ", in units of 1/255"
    if knob["whole"]:
        text += ", whole"
    return text + (", follows severity" if knob["follows_severity"] else "")


def _is_255th(unit: float) -> bool:
    return math.isclose(unit, 1 / 255)
