"""``restore bench``: degradations x models x pictures, scored and timed, the protocol beside the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore.errors import EXIT_SOME_FAILED
from restore.names import show_name
from restore.tools.output import say
from restore.tools.reports import Counting, check_targets, emit_text, show_table
from restore.tools.run import Engine

if TYPE_CHECKING:
    from restore.bench import BenchResult

# Pictures shown on a page or sheet; every one costs about a megabyte of page per degradation.
LOOKS = 6


def bench(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Clean pictures; subfolders are read too.")],
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            "--degradation",
            "-d",
            metavar="NAME:key=value",
            show_default=False,
            help='Each is a condition of its own; "blur:sigma=2 + noise:sigma=10" is one made of two steps.',
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME,...",
            show_default=False,
            help="Restorers, separated by commas or given again: denoise,nlm:sigma=25. The value known "
            "stands for the degradation's: denoise:sigma=known. peer:bm3d times that package if you have it.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:TABLE]",
            help="A bench of models/zoo/NAME/bench.toml; -d and -m, where given, take the place of its own.",
            show_default=False,
        ),
    ] = None,
    luma: Annotated[
        bool, typer.Option("--luma", help="Score the pictures' luma alone, as grey pictures.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N pictures.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Each picture's own seed is a hash of this and its path.")] = 0,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Further measures: ms-ssim, gmsd, ciede2000, colour-cast, niqe, brisque, lpips, dists, "
            "psnr-gt-mean, ssim-gt-mean.",
        ),
    ] = None,
    sets: Annotated[
        str | None,
        typer.Option(
            metavar="FEATURES",
            help="Distances between the sets of restored and true pictures, by this network "
            "(efficientnet-lite0-s32, ...).",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Everything as JSON.", show_default=False)
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="The summary as Markdown.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One page with tables and sliders.", show_default=False),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png|.jpg", help="A contact sheet.", show_default=False)
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep what the models made, as PNG.", show_default=False),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC=NUMBER",
            help="psnr=30, ssim=.8: exit code 1 when a mean (of pictures that are not identical) is below.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str, typer.Option(metavar="auto|fp32|bf16|fp16", help="Arithmetic of networks.")
    ] = "auto",
    engine: Engine = "auto",
    tile: Annotated[
        int | None, typer.Option(min=32, help="Side of a tile in pixels.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; default: all.", show_default=False)
    ] = None,
) -> None:
    """Score restorers on a folder of clean pictures.

    What a degradation gives is neither clipped nor rounded; what a model gives is clamped to [0, 1], not
    rounded. Exit code: 0 done, 1 a picture or a model failed or missed --fail-under, 2 wrong use, 130
    interrupted.
    """
    check_targets({"--json": json, "--markdown": markdown}, [html, sheet])
    # Heavy imports only here: --help must be quick.
    from restore.bench import parse_gates, run_bench
    from restore.bench.preset import load_preset
    from restore.report import dumps

    gates = parse_gates(fail_under or [])
    asked = load_preset(preset) if preset else None
    if asked is not None:
        say(f"{asked.name}: meant for {asked.data}" if asked.data else asked.name)
    with Counting() as progress:
        result = run_bench(
            data,
            degradations=degradation or (asked.degradations if asked else ()),
            models=model or (asked.models if asked else ()),
            luma=luma or bool(asked and asked.luma),
            limit=limit,
            seed=seed,
            metrics=metric or [],
            sets=sets,
            device=device,
            precision=precision,
            engine=engine,
            tile=tile,
            thread_count=threads,
            save=save,
            looks=LOOKS if html or sheet else 0,
            progress=progress,
        )
    emit_text(dumps(result.to_json()), json)
    emit_text(result.markdown(), markdown)
    _pictures(result, html, sheet)
    _tell(result, to_stdout="-" not in (json, markdown))
    missed = result.missed(gates)
    for sentence in missed:
        say(f"missed: {sentence}", colour=31)
    if missed or result.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def _pictures(result: BenchResult, html: Path | None, sheet: Path | None) -> None:
    from restore.bench.show import bench_page, write_sheet

    if html is not None:
        emit_text(bench_page(result), html)
    if sheet is not None:
        if result.looks:
            write_sheet(result.looks, sheet)
        else:
            say(f"{show_name(sheet)} is not written: there is no picture to show", colour=33)


def _tell(result: BenchResult, *, to_stdout: bool) -> None:
    from restore.report import rich_table

    show_table(rich_table(result.summary, result.columns, group="degradation"), to_stdout=to_stdout)
    for line in result.protocol.split(" ; "):
        say(line)
    for line in result.notes():
        say(line, colour=33)
