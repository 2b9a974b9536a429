"""A game's recipe and its pictures in, weights out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from restore.errors import UsageError
from restore.models.features import FeatureNet, feature_net
from restore.runtime import pick_device, pick_precision
from restore.train.games.board import set_up
from restore.train.games.config import GameConfig, build_critics
from restore.train.games.curves import curve_batches, curve_turns
from restore.train.games.data import Held, held_pairs, manifest_of, open_sides, to_device
from restore.train.games.health import watcher
from restore.train.games.paired import paired_game_turns
from restore.train.games.play import Outcome, Rules, Turn, play
from restore.train.games.unpaired import unpaired_batches, unpaired_turns
from restore.train.games.validate import game_validation
from restore.train.journal import duration
from restore.train.paired import batch_maker
from restore.train.processes import Processes, join_processes, share_of
from restore.train.record import header, open_folder
from restore.train.run import start_network
from restore.train.sources import open_training


def play_recipe(
    config: GameConfig,
    out: Path,
    *,
    data: Path | None = None,
    low: Path | None = None,
    normal: Path | None = None,
    degraded: Path | None = None,
    resume: bool = False,
    init: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Trains a generator by its recipe.

    Writes into ``out``: ``averaged.safetensors`` (the averaged weights of the last validation), ``last.pt`` (to
    resume from), ``log.jsonl``, ``config.json`` and ``samples/``.

    Args:
        data: a folder of clean photographs; an unpaired game splits it into two halves.
        low, normal: two folders that have nothing to do with each other; see
            :func:`restore.train.games.data.open_sides`.
        degraded: partners of ``data``, matched by name, for a paired game without a degradation.
        init: a weight file to start from.

    Raises:
        UsageError: sources that do not fit the recipe, or a run that is already there.
        TrainingError: see :func:`restore.train.games.play.play`.
    """
    where = pick_device(device)
    precision = pick_precision(config.precision, where, safe=("fp32", "bf16"))
    if threads is not None:
        torch.set_num_threads(threads)
    with join_processes(where) as processes:
        say = report if processes.is_main else lambda text: None
        if processes.is_main:
            open_folder(out, config, resume=resume)
        part = (processes.rank, processes.count)
        sources = {"data": data, "low": low, "normal": normal, "degraded": degraded}
        make_batch, held, manifest = _batches(config, sources, where, part, say)
        features = _features(config)
        if features is not None:
            features = features.to(where)
        board = set_up(
            {"generator": start_network(config, init), **build_critics(config)},
            device=where,
            lr={"generator": config.lr, **dict.fromkeys(config.critics, config.critic_lr or config.lr)},
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
        )
        sizes = ", ".join(f"{k} {sum(p.numel() for p in n.parameters()):,}" for k, n in board.nets.items())
        say(
            f"{config.architecture}: {sizes} parameters; features {config.features if features else 'none'}; "
            f"{precision} on {where}, {torch.get_num_threads()} threads"
        )
        about = partial(_header, config, features, manifest)
        result = play(
            board,
            _turns(config, features, processes),
            make_batch,
            game_validation(config, to_device(held, where), out, where, precision, about, say),
            Rules(
                steps=config.steps,
                rate=partial(rate, config),
                clip=config.clip,
                ema=config.ema,
                log_every=config.log_every,
                validate_every=config.validate_every,
                watch=watcher(),
            ),
            out=out,
            device=where,
            precision=precision,
            resume=resume,
            processes=processes,
            report=say,
        )
        say(
            f"{config.steps} steps in {duration(result.seconds)}, {result.steps_per_second:.2f} steps/s; waiting for "
            f"data {result.data_share:.0%}; weights in {out / 'averaged.safetensors'}"
        )
        return result


def rate(config: GameConfig, step: int) -> float:
    """Linear warm-up, flat, then linear to zero over the last ``decay_share`` of the steps; a factor."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    return warm * min(1.0, (config.steps - step) / max(1.0, config.decay_share * config.steps))


def _features(config: GameConfig) -> FeatureNet | None:
    if not any(config.weight(term) > 0 for term in ("feature", "feature_local", "perceptual")):
        return None
    return feature_net(
        config.features, weights=Path(config.feature_weights) if config.feature_weights else None
    )


def _batches(
    config: GameConfig,
    sources: dict[str, Path | None],
    device: torch.device,
    part: tuple[int, int],
    report: Callable[[str], None],
) -> tuple[Callable[[int], Any], list[Held], str]:
    """How batches are made, the held-out pictures, and the hash of what was offered."""
    if config.step == "paired-adversarial":
        data, degraded = sources["data"], sources["degraded"]
        if data is None or sources["low"] is not None or sources["normal"] is not None:
            raise UsageError(f"the recipe {config.name} is trained with --data FOLDER [--degraded FOLDER]")
        library = open_training(config, data, degraded, report)
        folders = [folder for folder in (data, degraded) if folder is not None]
        share_of(config.batch, *part, even=True)
        make = batch_maker(config, library.train, device, part=part)
        return make, held_pairs(library.held_out, config), manifest_of(*folders)
    if sources["degraded"] is not None:
        raise UsageError(f"the recipe {config.name} needs no pairs", hint="--low FOLDER takes low pictures")
    sides = open_sides(
        config, data=sources["data"], low=sources["low"], normal=sources["normal"], report=report
    )
    batches = unpaired_batches if config.step == "unpaired" else curve_batches
    return batches(config, sides, device, part=part), sides.held, sides.manifest


def _turns(config: GameConfig, features: FeatureNet | None, processes: Processes) -> list[Turn]:
    if config.step == "curves":
        return curve_turns(config)
    turns = unpaired_turns if config.step == "unpaired" else paired_game_turns
    return turns(config, features, processes)


def _header(
    config: GameConfig, features: FeatureNet | None, manifest: str, step: int, scores: dict[str, float]
) -> dict[str, object]:
    """What a weight file says of itself: what an ordinary one does, the features, and the hash of its pictures."""
    return {
        **header(config, step, scores),
        "features": None if features is None else features.feature_id,
        "manifest": manifest,
    }
