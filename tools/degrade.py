"""``restore degrade``: a folder of pictures in, a folder of degraded ones and their parameters out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restore.errors import EXIT_SOME_FAILED, UsageError
from restore.names import show_name
from restore.tools import run as shared
from restore.tools.knobs import list_degradations
from restore.tools.output import FolderProgress, emit_json, report_folder, say
from restore.tools.reports import check_targets


def degrade(
    sources: shared.Sources = None,
    out: shared.Out = None,
    inputs: shared.Input = None,
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            "--degradation",
            "-d",
            metavar="NAME:key=value|FILE.toml",
            help="A degradation, a mixture or a pipeline's file. Repeat for several, done in order.",
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
    list_all: Annotated[
        bool, typer.Option("--list", help="Show every degradation with its knobs, in the physical order.")
    ] = False,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="PHOTO",
            help="Draw every degradation (or those of -d) at five severities on it, into -o FILE.png.",
            show_default=False,
        ),
    ] = None,
    format: shared.Format = "keep",
    quality: shared.Quality = None,
    overwrite: shared.Overwrite = False,
    shard: shared.Shard = None,
    dry_run: shared.DryRun = False,
    json: shared.Json = None,
    max_megapixels: shared.MaxMegapixels = None,
    threads: shared.Threads = None,
) -> None:
    """Degrade every picture of a folder into another, keeping subfolders.

    Results are clipped and rounded to the depth of the file. Neither the order of the pictures nor what else
    is in the folder changes a result. The same command continues a run that was stopped.
    """
    if list_all:
        list_degradations(json)
        return
    if gallery is not None:
        _gallery(gallery, out, degradation or None, seed)
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
                max_megapixels=400.0 if max_megapixels is None else max_megapixels,
            )
    except KeyboardInterrupt:
        shared.explain_interrupt(overwrite)
        raise
    report_folder(result, progress, target, dry_run=dry_run, to_stdout=json != "-")
    emit_json(result.to_json(), json)
    if result.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _gallery(photo: Path, out: Path | None, specs: list[str] | None, seed: int) -> None:
    """One contact sheet of what every degradation does to ``photo``."""
    if out is None:
        raise UsageError("expected a file for the gallery, got none", hint="-o gallery.png")
    if out.suffix.lower() != ".png":
        raise UsageError(f"expected a .png for the gallery, got {show_name(out)}")
    check_targets({}, [out])
    from restore.files import atomic_file, read_picture
    from restore.report.gallery import gallery

    sheet = gallery(read_picture(photo).pixels, specs, seed=seed, on_row=say)
    with atomic_file(out) as file:
        sheet.save(file, format="PNG")
    say(f"gallery: {show_name(out)}")
