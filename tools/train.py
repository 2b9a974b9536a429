"""``restore train``: a network from a recipe and a folder of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from restore.tools.output import say


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
    from restore.models.generator_files import GENERATORS
    from restore.models.registry import SHIPPED, ZOO, weights_path
    from restore.train.config import Config
    from restore.train.games.config import TERMS, GameConfig
    from restore.train.games.run import play_recipe
    from restore.train.generators.config import STEP, GeneratorConfig
    from restore.train.generators.run import train_generator
    from restore.train.recipe import load_recipe, step_of
    from restore.train.run import train as run

    path = Path(recipe) if recipe.endswith(".toml") else ZOO / recipe / "recipe.toml"
    if not recipe.endswith(".toml") and not path.exists():
        raise unknown("recipe", recipe, (p.parent.name for p in ZOO.glob("*/recipe.toml")))
    step, sets = step_of(path), settings or []
    start = weights_path(init) if init in {*SHIPPED, *GENERATORS} else Path(init) if init else None
    shared: dict[str, Any] = {"resume": resume, "device": device, "threads": threads, "report": say}
    try:
        if step in TERMS:
            game = load_recipe(GameConfig, path, sets)
            sources: dict[str, Any] = {"data": data, "low": low, "normal": normal, "degraded": degraded}
            play_recipe(game, out, init=start, **sources, **shared)
        elif data is None or low is not None or normal is not None:
            raise UsageError(f"the recipe {recipe} is trained with --data FOLDER")
        elif step == STEP:
            if degraded is not None:
                raise UsageError("a generator is trained from pictures alone: no --degraded")
            train_generator(load_recipe(GeneratorConfig, path, sets), data, out, init=start, **shared)
        else:
            run(load_recipe(Config, path, sets), data, out, degraded=degraded, init=start, **shared)
    except KeyboardInterrupt:
        if (out / "last.pt").exists():
            say("stopped; the same command with --resume goes on from the last checkpoint")
        raise
