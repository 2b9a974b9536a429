"""A recipe and a folder of photographs in, weights out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.errors import ConfigError, UsageError
from restore.models.registry import build
from restore.models.weights import load_into, read_weights, save_weights
from restore.runtime import pick_device, pick_precision
from restore.train.config import Config
from restore.train.find import find_step, find_validation
from restore.train.journal import duration
from restore.train.loop import Fit, fit
from restore.train.paired import batch_maker, estimate_step, paired_step
from restore.train.processes import join_processes
from restore.train.record import header, open_folder
from restore.train.sources import open_training
from restore.train.validate import estimate_validation, held_out_pairs, psnr_validation

# What a recipe's ``step`` stands for: its loss, its batches, its scores.
STEP_OF: dict[str, Callable[..., Any]] = {
    "paired": paired_step,
    "estimate": estimate_step,
    "find": find_step,
}
MAKER_OF: dict[str, Callable[..., Any]] = {
    "paired": batch_maker,
    "estimate": batch_maker,
    "find": batch_maker,
}
VALIDATION_OF: dict[str, Callable[..., Any]] = {
    "paired": psnr_validation,
    "estimate": estimate_validation,
    "find": find_validation,
}


def train(
    config: Config,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    degraded: Path | None = None,
    init: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    report: Callable[[str], None] = print,
    around: Callable[[Any], Any] = lambda step: step,
) -> Fit:
    """Trains a network by its recipe.

    Writes into ``out``: ``last.pt`` (to resume from), ``best.safetensors`` (the averaged weights with the best
    validation score), ``log.jsonl`` and ``config.json``.

    Args:
        data: a folder of clean photographs; subfolders are read too.
        degraded: their degraded partners, matched by name, for a recipe whose ``degradation`` and ``conditions``
            are empty; they are used at the size they have.
        init: weights to start from instead of random ones; a network with more blocks grows out of them.
        around: changes the step, e.g. adds a task's loss (:func:`restore.train.guided.guided`).

    Raises:
        UsageError: ``out`` already holds a run and neither ``resume`` nor another folder is asked for, or a recipe
            that another command fits.
        TrainingError: see :func:`restore.train.loop.fit`.
    """
    if config.step not in STEP_OF:
        raise UsageError(
            f"{config.name} is fitted, not trained",
            hint="python -m restore.train.worth RECIPE --data PHOTOS --out RUN",
        )
    where = pick_device(device)
    precision = pick_precision(config.precision, where)
    if threads is not None:
        torch.set_num_threads(threads)
    with join_processes(where) as processes:
        say = report if processes.is_main else lambda text: None
        if processes.is_main:
            open_folder(out, config, resume=resume)
        library = open_training(config, data, degraded, say)
        net = start_network(config, init)
        _check_view(config, net)
        count = sum(p.numel() for p in net.parameters())
        say(
            f"{config.architecture}, {count:,} parameters, {precision} on {where}, {torch.get_num_threads()} threads"
        )
        pairs: Any = library.held_out
        if config.step != "find":  # these make their own of the pictures
            pairs = held_out_pairs(config, library.held_out, where)
        validation = VALIDATION_OF[config.step](config, pairs, where, precision)

        def keep_best(ema: nn.Module, step: int, scores: dict[str, float]) -> None:
            save_weights(
                out / "best.safetensors", ema.state_dict(), header(config, step, scores), dtype=torch.float32
            )

        result = fit(
            net,
            STEP_OF[config.step](config),
            MAKER_OF[config.step](config, library.train, where, part=(processes.rank, processes.count)),
            validation,
            config,
            out=out,
            device=where,
            precision=precision,
            resume=resume,
            wrap=partial(processes.wrap, partly=bool(config.first_part)),
            mean_over_processes=processes.mean,
            is_main=processes.is_main,
            report=say,
            on_best=keep_best,
            around=around,
        )
        say(
            f"best {result.best:.3f} at step {result.best_step}, in {duration(result.seconds)}; "
            f"waiting for data {result.data_share:.0%}; weights in {out / 'best.safetensors'}"
        )
        return result


def _check_view(config: Config, net: nn.Module) -> None:
    wanted = getattr(net, "view", "")
    if config.step == "paired" and wanted != config.view:
        raise ConfigError(
            f"view: {config.architecture} looks at {wanted or 'nothing'!r}, got {config.view!r}",
            hint=f'view = "{wanted}" in the recipe',
        )


def start_network(config: Config, init: Path | None) -> nn.Module:
    """The recipe's network with weights that depend on its seed alone, or grown from those of ``init``."""
    torch.manual_seed(config.seed)
    net = build(config.architecture, config.arch)
    if init is not None:
        state = read_weights(init)[0]
        grow = getattr(net, "grown_from", None)
        load_into(net, grow(state) if grow is not None else state, where=str(init))
    return net
