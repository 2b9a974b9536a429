"""A game's recipe and its pictures in, weights out."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.errors import UsageError
from restore.models.features import FeatureNet, feature_net
from restore.models.registry import build
from restore.models.weights import load_into, read_weights
from restore.runtime import pick_device, pick_precision
from restore.train.adversarial import Outcome, Rules, Turn, play
from restore.train.board import set_up
from restore.train.config import to_dict
from restore.train.curves import curve_batches, curve_turns
from restore.train.game_config import GameConfig, build_critics
from restore.train.game_data import Held, held_pairs, manifest_of, open_sides, to_device
from restore.train.game_validate import game_validation
from restore.train.health import watcher
from restore.train.loop import duration
from restore.train.paired_game import paired_game_turns
from restore.train.processes import Processes, join_processes
from restore.train.run import batch_maker, open_training
from restore.train.run import header as weights_header
from restore.train.unpaired import share_of, unpaired_batches, unpaired_turns


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
            :func:`restore.train.game_data.open_sides`.
        degraded: partners of ``data``, matched by name, for a paired game without a degradation.
        init: a weight file to start from.

    Raises:
        UsageError: sources that do not fit the recipe, or a run that is already there.
        TrainingError: see :func:`restore.train.adversarial.play`.
    """
    where = pick_device(device)
    precision = pick_precision(config.precision, where, safe=("fp32", "bf16"))
    if threads is not None:
        torch.set_num_threads(threads)
    with join_processes(where) as processes:
        say = report if processes.is_main else lambda text: None
        if processes.is_main:
            if (out / "last.pt").exists() and not resume:
                raise UsageError(
                    f"{out} already holds a run", hint="--resume continues it; or choose another --out"
                )
            out.mkdir(parents=True, exist_ok=True)
            (out / "config.json").write_text(json.dumps(to_dict(config), indent=1) + "\n")
        part = (processes.rank, processes.count)
        sources = {"data": data, "low": low, "normal": normal, "degraded": degraded}
        make_batch, held, manifest = _batches(config, sources, where, part, say)
        features = _features(config)
        if features is not None:
            features = features.to(where)
        board = set_up(
            {"generator": _generator(config, init), **build_critics(config)},
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
        try:
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
        except KeyboardInterrupt:
            if (out / "last.pt").exists():
                say("stopped; the same command with --resume goes on from the last validation")
            raise
        say(
            f"{config.steps} steps in {duration(result.seconds)}, {result.steps_per_second:.2f} steps/s; waiting for "
            f"data {result.data_share:.0%}; weights in {out / 'averaged.safetensors'}"
        )
        return result


def rate(config: GameConfig, step: int) -> float:
    """Linear warm-up, flat, then linear to zero over the last ``decay_share`` of the steps; a factor."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    return warm * min(1.0, (config.steps - step) / max(1.0, config.decay_share * config.steps))


def _generator(config: GameConfig, init: Path | None) -> nn.Module:
    torch.manual_seed(config.seed)
    net = build(config.architecture, config.arch)
    if init is not None:
        load_into(net, read_weights(init)[0], where=str(init))
    return net


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
        share_of(config.batch, *part)
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
        **weights_header(config, step, scores),
        "features": None if features is None else features.feature_id,
        "manifest": manifest,
    }
