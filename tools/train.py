"""``restore train``: a network from a recipe and a folder of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restore.tools.output import say
from restore.tools.train_generator import train_if_generator


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name, or a recipe.toml of yours.")],
    data: Annotated[Path, typer.Option(help="Folder of clean photographs; subfolders are read too.")],
    out: Annotated[Path, typer.Option(help="Folder for weights, checkpoint and log.")],
    degraded: Annotated[
        Path | None,
        typer.Option(help="Degraded partners of --data, matched by name, instead of simulated ones."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, bit for bit.")] = False,
    init: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Processor threads; default: all.")] = None,
) -> None:
    """Train a network; several processes through torchrun -m restore train ... share every batch."""
    from restore.errors import unknown
    from restore.models.registry import ZOO
    from restore.train.config import load_config
    from restore.train.run import train as run

    path = Path(recipe) if recipe.endswith(".toml") else ZOO / recipe / "recipe.toml"
    if train_if_generator(path, settings, data, out, resume, device, threads, unused=(degraded, init)):
        return
    if not recipe.endswith(".toml") and not path.exists():
        raise unknown("recipe", recipe, (p.parent.name for p in ZOO.glob("*/recipe.toml")))
    config = load_config(path, settings or [])
    try:
        run(
            config,
            data,
            out,
            degraded=degraded,
            resume=resume,
            init=init,
            device=device,
            threads=threads,
            report=say,
        )
    except KeyboardInterrupt:
        if (out / "last.pt").exists():
            say("stopped; the same command with --resume goes on from the last validation")
        raise
