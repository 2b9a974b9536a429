"""``restore train``: a network from a recipe and a folder of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from restore.tools.output import say
from restore.tools.train_generator import train_if_generator


def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name, or a recipe.toml of yours.")],
    out: Annotated[Path, typer.Option(help="Folder for weights, checkpoint and log.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of clean photographs; subfolders are read too.", show_default=False),
    ] = None,
    degraded: Annotated[
        Path | None,
        typer.Option(help="Degraded partners of --data, matched by name, instead of simulated ones."),
    ] = None,
    low: Annotated[
        Path | None,
        typer.Option(
            help="Pictures as they come (dark, hazy, ...), for recipes without pairs.", show_default=False
        ),
    ] = None,
    normal: Annotated[
        Path | None,
        typer.Option(help="Any pictures that look as they should; others than --low.", show_default=False),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, bit for bit.")] = False,
    init: Annotated[
        str | None, typer.Option(help="A shipped model or a weight file to start from.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Processor threads; default: all.")] = None,
) -> None:
    """Train a network; several processes through torchrun -m restore train ... share every batch."""
    from restore.errors import UsageError, unknown
    from restore.models.registry import SHIPPED, ZOO, weights_path
    from restore.train.config import load_config
    from restore.train.game_config import is_game_recipe, load_game_config
    from restore.train.game_run import play_recipe
    from restore.train.run import train as run

    path = Path(recipe) if recipe.endswith(".toml") else ZOO / recipe / "recipe.toml"
    if train_if_generator(path, settings, data, out, resume, device, threads, unused=(degraded, init)):
        return
    if not recipe.endswith(".toml") and not path.exists():
        raise unknown("recipe", recipe, (p.parent.name for p in ZOO.glob("*/recipe.toml")))
    start = weights_path(init) if init in SHIPPED else Path(init) if init else None
    shared: dict[str, Any] = {"resume": resume, "device": device, "threads": threads, "report": say}
    alone = low is None and normal is None
    try:
        if is_game_recipe(path):
            sources: dict[str, Any] = {"data": data, "low": low, "normal": normal, "degraded": degraded}
            play_recipe(load_game_config(path, settings or []), out, **sources, init=start, **shared)
        elif data is None or not alone:
            raise UsageError(f"the recipe {recipe} is trained with --data FOLDER")
        else:
            config = load_config(path, settings or [])
            run(config, data, out, degraded=degraded, init=start, **shared)
    except KeyboardInterrupt:
        if (out / "last.pt").exists():
            say("stopped; the same command with --resume goes on from the last validation")
        raise
