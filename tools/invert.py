"""``restore invert``: what a generator would have to be told to make these pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from restore.errors import EXIT_SOME_FAILED
from restore.names import show_name
from restore.tools.output import duration, emit_json, say
from restore.tools.reports import check_targets


def invert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A method: sphinx, image2stylegan, pnorm, projector, csgm, pgd, ilo, bdinvert, pulse, mganprior, "
            "psp, in-domain, or without the generator tv, dip; NAME:key=value sets options.",
        ),
    ] = "sphinx",
    generator: Annotated[
        Path | None,
        typer.Option(
            help="A generator: .safetensors, rosinality .pt, stylegan2-ada .pkl; default: the shipped one.",
            show_default=False,
        ),
    ] = None,
    operator: Annotated[
        str,
        typer.Option(
            help="How the pictures came to be: identity, noise:sigma=25, downsample:scale=4, blur:sigma=1.5, "
            "mask:file=..., compressed-sensing:ratio=0.25."
        ),
    ] = "identity",
    simulate: Annotated[
        bool, typer.Option("--simulate", help="The pictures are whole: measure them with the operator first.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Default: as published for the method.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Pictures at once; changes no result.")] = 16,
    restarts: Annotated[int, typer.Option(min=1, help="Starts per picture; the best is kept.")] = 1,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop a picture after so many steps without progress; 0: never.")
    ] = 500,
    time_budget: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds for all pictures.", show_default=False)
    ] = None,
    encoder_steps: Annotated[
        int, typer.Option(min=1, help="Training of the encoder that psp, in-domain and bdinvert ask.")
    ] = 3000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do finished pictures again.")] = False,
    json: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE|-", help="The records as JSON; - is stdout.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; default: all.")] = None,
) -> None:
    """Invert pictures: find codes whose picture explains what is given, and write that picture.

    The same command continues a folder that was stopped. Exit code: 0 done, 1 some failed, 2 wrong use.
    """
    check_targets({"--json": json})
    from restore.inverse.gan import Inverter
    from restore.inverse.gan.pictures import Job, invert_pictures
    from restore.inverse.gan.workshop import Workshop
    from restore.runtime import pick_device
    from restore.runtime import threads as computing_with

    net, header = _generator(generator)
    net.to(pick_device(device))
    method = Workshop(net, encoder_steps=encoder_steps, seed=seed, report=say).named(model)
    job = Job(
        generator=str(header.get("sha256") or header.get("name")),
        method=model,
        operator=operator,
        simulate=simulate,
        steps=steps,
        patience=patience,
        restarts=restarts,
        seed=seed,
        encoder_steps=encoder_steps,
    )
    with computing_with(threads):
        outcome = invert_pictures(
            Inverter(net, method),
            job,
            source,
            out,
            batch=batch,
            time_budget=time_budget,
            overwrite=overwrite,
            on_step=_tell_step,
            on_picture=_tell_picture,
        )
    for name, reason in outcome.failed.items():
        say(f"failed: {show_name(name)}: {show_name(reason)}", colour=31)
    say(f"{len(outcome.records)} inverted, {len(outcome.skipped)} skipped, {len(outcome.failed)} failed")
    emit_json({"pictures": outcome.records, "skipped": outcome.skipped, "failed": outcome.failed}, json)
    if outcome.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _generator(path: Path | None) -> tuple[Any, dict[str, Any]]:
    from restore.models.generator_files import load_generator, shipped_generator

    return shipped_generator() if path is None else load_generator(path)


def _tell_step(step: int, steps: int, loss: float) -> None:
    if step == 1 or step == steps or step % max(steps // 10, 1) == 0:
        say(f"step {step}/{steps}  loss {loss:.5f}")


def _tell_picture(record: dict[str, Any]) -> None:
    said = "psnr {psnr:.2f} dB (worst draw {psnr_min:.2f}), residual {residual:.3f}, image spread {image_std:.4f}"
    shaken = (
        ", shaken {psnr_shaken_0_1:.2f} / {psnr_shaken_0_3:.2f}, codes {code_norm:.2f}, freedom {freedom:.1f}"
    )
    values = {k.replace(".", "_"): v for k, v in record.items()}
    say(f"{show_name(record['file'])}  {(said + shaken).format(**values)}, {duration(record['seconds'])}")
