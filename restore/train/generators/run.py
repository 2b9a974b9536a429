"""A recipe and a set of pictures in, a generator out: the run around :class:`restore.train.generators.duel.Duel`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.data.fixed_size import PictureSet, open_pictures
from restore.degradations import sample as draw
from restore.errors import ConfigError, TrainingError
from restore.metrics.frechet import frechet_distance
from restore.models.registry import build
from restore.models.stylegan2 import StyleGAN2
from restore.models.weights import load_into, read_weights, save_weights
from restore.runtime import pick_device
from restore.runtime import threads as computing_with
from restore.train.generators.config import GeneratorConfig
from restore.train.generators.duel import Duel, load_duel, save_duel
from restore.train.generators.extractor import Extractor, open_extractor
from restore.train.generators.samples import make_pictures, sample_codes, save_sheet
from restore.train.journal import Journal
from restore.train.record import header, open_folder


def train_generator(
    config: GeneratorConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    init: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains a generator by its recipe; with ``resume`` continues from ``out/last.pt``, bit for bit.

    Writes into ``out``: ``last.pt``, ``best.safetensors`` (the averaged generator with the smallest distance to the
    training pictures, or the latest where pictures have no labels to train a measure on), ``samples.png`` (always
    the same codes), ``log.jsonl``, ``config.json`` and ``extractor.safetensors``.

    Args:
        init: a generator's weights to start from instead of random ones. Its discriminator is new: give it
            ``discriminator_first`` steps, or what the generator knows is lost to a critic that knows nothing.

    Returns:
        ``distance`` (None without labels), ``step`` where it was reached, ``extractor``, ``seconds``.

    Raises:
        UsageError: ``out`` holds a run already, or there are no pictures.
        TrainingError: a loss that is not finite, or nothing to resume.
    """
    where = pick_device(device)
    with computing_with(threads):
        return _run(config, data, out, resume=resume, init=init, where=where, report=report)


def _run(
    config: GeneratorConfig,
    data: Path,
    out: Path,
    *,
    resume: bool,
    init: Path | None,
    where: torch.device,
    report: Callable[[str], None],
) -> dict[str, Any]:
    open_folder(out, config, resume=resume)
    duel = new_duel(config, where, init)
    net = duel.generator
    pictures = open_pictures(data, resolution=net.resolution, channels=net.channels)
    start = load_duel(out / "last.pt", duel, where) if resume else 0
    counts = [sum(p.numel() for p in n.parameters()) for n in (net, duel.discriminator)]
    report(f"generator {counts[0]:,} parameters, discriminator {counts[1]:,}, {len(pictures)} pictures")
    extractor = open_extractor(
        out / "extractor.safetensors", pictures, steps=config.measure_steps, report=report
    )
    seen = _real_features(extractor, pictures, config)
    journal = Journal(out, steps=config.steps, start=start, report=report)
    last = time.perf_counter()
    sums: dict[str, list[Tensor]] = {}
    try:
        for number in range(start, config.steps):
            for key, value in duel.step(number, pictures).items():
                sums.setdefault(key, []).append(value)
            done = number + 1
            if done % config.log_every == 0 or done == config.steps:
                means = {k: float(torch.stack(v).mean()) for k, v in sums.items()}
                if not all(math.isfinite(v) for v in means.values()):
                    raise TrainingError(
                        f"the loss is not finite at step {done}: {means}",
                        hint="a lower --set lr=..., or a larger --set r1=...; the last checkpoint is unharmed",
                    )
                steps_timed = len(sums["discriminator"])
                now = time.perf_counter()
                speed = steps_timed * config.batch / max(now - last, 1e-9)
                shown = "  ".join(f"{k} {v:.3f}" for k, v in means.items())
                journal.note(
                    done,
                    {**means, "p": duel.augment_probability, "images_per_second": speed},
                    f"{shown}  {speed:.0f} images/s  left {journal.left(done)}",
                )
                sums, last = {}, now
            if done % config.snapshot_every == 0 or done == config.steps:
                distance = _distance(duel.average, extractor, seen, config)
                if distance is not None:
                    journal.note(done, {"distance": distance}, f"distance {distance:.3f}")
                if distance is None or distance < duel.best:
                    duel.best, duel.best_step = math.inf if distance is None else distance, done
                    name = None if extractor is None else extractor.name
                    save_weights(
                        out / "best.safetensors",
                        duel.average.state_dict(),
                        generator_header(config, done, {"distance": distance, "extractor": name}),
                        dtype=torch.float32,
                    )
                save_sheet(out / "samples.png", duel.average, seed=config.seed)
                save_duel(out / "last.pt", duel, done)
                last = time.perf_counter()
    finally:
        journal.close()
    return {
        "distance": None if math.isinf(duel.best) else duel.best,
        "step": duel.best_step,
        "extractor": None if extractor is None else extractor.name,
        "seconds": journal.seconds,
    }


def new_duel(config: GeneratorConfig, device: torch.device, init: Path | None = None) -> Duel:
    """Both networks with fresh weights that depend on the seed alone, or a generator with those of ``init``.

    Raises:
        ConfigError: a configuration they do not take.
        WeightsError: ``init`` is of another network.
    """
    torch.manual_seed(config.seed)
    generator = build(config.architecture, {**config.arch, **config.generator})
    discriminator = build(f"{config.architecture}-discriminator", {**config.arch, **config.discriminator})
    if not isinstance(generator, StyleGAN2):
        raise ConfigError(f"expected the architecture stylegan2, got {config.architecture!r}")
    if init is not None:
        load_into(generator, read_weights(init)[0], where=str(init))
    return Duel(generator, discriminator, config, device)


def generator_header(config: GeneratorConfig, step: int, scores: dict[str, Any]) -> dict[str, Any]:
    """What a generator's weight file says of itself: as any other, with what is the generator's alone."""
    return {**header(config, step, scores), "config": {**config.arch, **config.generator}}


def _real_features(
    extractor: Extractor | None, pictures: PictureSet, config: GeneratorConfig
) -> np.ndarray | None:
    if extractor is None:
        return None
    g = draw.generator(draw.child_seed(config.seed, "distance"))
    chosen = torch.randperm(len(pictures), generator=g)[: config.distance_images]
    return extractor(pictures.batch(chosen))


def _distance(
    net: StyleGAN2, extractor: Extractor | None, seen: np.ndarray | None, config: GeneratorConfig
) -> float | None:
    if extractor is None or seen is None:
        return None
    made = make_pictures(net, sample_codes(net, config.distance_images, config.seed + 1))
    return frechet_distance(extractor(made.cpu()), seen)
