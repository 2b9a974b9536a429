"""``restore run``: a folder of pictures in, a folder of restored pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restore.errors import EXIT_SOME_FAILED, UsageError
from restore.tools.output import FolderProgress, emit_json, explain_findings, report_folder, say
from restore.tools.reports import check_targets, emit_text

# Pictures shown on a page, evenly spread; every one costs about half a megabyte of page.
LOOKS = 24
# What is used where nobody says what to use.
DEFAULT = "auto"

Sources = Annotated[
    list[Path] | None,
    typer.Argument(metavar="IN", help="A folder, a picture, or several.", show_default=False),
]
Input = Annotated[
    list[Path] | None,
    typer.Option("--input", "-i", metavar="PATH", help="The same as IN.", show_default=False),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write.", show_default=False)
]
Format = Annotated[
    str,
    typer.Option(metavar="png|jpeg|webp|tiff|keep", help="Format of the output; keep: that of each source."),
]
Quality = Annotated[
    int | None,
    typer.Option(
        metavar="1-100", help="Of JPEG and WebP; default: that of a JPEG source.", show_default=False
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Do everything again; replace what is in the way.")
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Only the I-th of N parts of the pictures.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List what would be done, change nothing.")]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="The outcome as JSON; - is stdout.", show_default=False),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="auto|torch|compile|onnxruntime|openvino",
        help="What computes networks; auto: the fastest one installed.",
    ),
]
MaxMegapixels = Annotated[
    float | None,
    typer.Option(
        "--max-megapixels",
        min=0.0,
        metavar="N",
        help="Refuse larger pictures; default: 400, and 4000 where run goes by bands (PNG, JPEG, TIFF; tiles).",
        show_default=False,
    ),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Processor threads; default: all.", show_default=False)
]


def run(
    sources: Sources = None,
    out: Out = None,
    inputs: Input = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A restorer: NAME or NAME:key=value; default: auto, which looks first.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Instead of -m: a weight file of anybody's, .pth or .safetensors (needs the extra spandrel).",
            show_default=False,
        ),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="What is known of the pictures, for -m pnp, tv-inverse, dip, wiener, telea ...: the file that "
            "`restore degrade --params` wrote, a point spread function (.npy or a picture), or a folder of masks "
            "(white: missing).",
            show_default=False,
        ),
    ] = None,
    strength: Annotated[float, typer.Option(help="0: the source, 1: the restorer's result.")] = 1.0,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Of restorers that fill: masks named like the pictures, white where pixels are missing.",
            show_default=False,
        ),
    ] = None,
    format: Format = "keep",
    quality: Quality = None,
    overwrite: Overwrite = False,
    shard: Shard = None,
    dry_run: DryRun = False,
    json: Json = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One page with sliders, before and after.", show_default=False),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Print what was found in each picture and done about it (-m auto)."),
    ] = False,
    uncertainty: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Maps of how sure every pixel is (90 % intervals).", show_default=False
        ),
    ] = None,
    uncertainty_preview: Annotated[
        bool, typer.Option("--uncertainty-preview", help="Beside each map a coloured picture of it.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str, typer.Option(metavar="auto|fp32|bf16|fp16", help="Arithmetic of networks.")
    ] = "auto",
    engine: Engine = "auto",
    tile: Annotated[
        int | None,
        typer.Option(min=32, help="Side of a tile in pixels; smaller needs less memory.", show_default=False),
    ] = None,
    max_megapixels: MaxMegapixels = None,
    threads: Threads = None,
) -> None:
    """Restore every picture of a folder into another, keeping subfolders.

    The same command continues a run that was stopped, and skips what is finished. A picture that cannot be
    done is reported and the rest goes on. Exit code: 0 done, 1 some failed, 2 wrong use, 130 interrupted.
    """
    check_targets({"--json": json}, [html])
    source, target = places(sources, inputs, out)
    if uncertainty_preview and uncertainty is None:
        raise UsageError("--uncertainty-preview needs maps to show", hint="add --uncertainty FOLDER")
    chosen = restorer_name(model, weights)
    if explain and chosen != DEFAULT:
        raise UsageError(
            f"{chosen} is told what to do and finds nothing out", hint="--explain goes with -m auto"
        )
    try:
        # Heavy imports only here: --help must be quick.
        from restore.folder import restore_folder
        from restore.runtime import threads as computing_with

        with FolderProgress("restored") as progress, computing_with(threads):
            result = restore_folder(
                source,
                target,
                model=chosen,
                overwrite=overwrite,
                shard=shard,
                dry_run=dry_run,
                format=format,
                quality=quality,
                device=device,
                precision=precision,
                engine=engine,
                tile=tile,
                strength=strength,
                operator=operator,
                mask=mask,
                on_event=progress,
                looks=LOOKS if html else 0,
                uncertainty=uncertainty,
                preview=uncertainty_preview,
                max_megapixels=max_megapixels,
            )
    except KeyboardInterrupt:
        explain_interrupt(overwrite)
        raise
    report_folder(result, progress, target, dry_run=dry_run, to_stdout=json != "-")
    if explain:
        explain_findings(result, to_stdout=json != "-")
    emit_json(result.to_json(), json)
    if html is not None and not dry_run:
        from restore.folder.show import run_page

        emit_text(run_page(result), html)
    if result.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def places(
    sources: list[Path] | None, inputs: list[Path] | None, out: Path | None
) -> tuple[list[Path], Path]:
    """What to read and where to write.

    Raises:
        UsageError: one of them is missing.
    """
    found = [*(sources or []), *(inputs or [])]
    if not found:
        raise UsageError("expected a folder or pictures to read", hint="restore COMMAND FOLDER -o OUT")
    if out is None:
        raise UsageError("expected a folder to write to", hint="-o FOLDER")
    return found, out


def restorer_name(model: str | None, weights: Path | None) -> str:
    """What ``-m`` or ``--weights`` names.

    Raises:
        UsageError: both are given.
    """
    if model is not None and weights is not None:
        raise UsageError(f"expected either -m or --weights, got -m {model} and --weights {weights}")
    return str(weights) if weights is not None else model or DEFAULT


def explain_interrupt(overwrite: bool) -> None:
    """Says how to go on."""
    how = "the same command without --overwrite" if overwrite else "the same command"
    say(f"interrupted; {how} continues")
