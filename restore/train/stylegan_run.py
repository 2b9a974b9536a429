"""A recipe and a set of pictures in, a generator out: the run around :class:`restore.train.stylegan.Duel`."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.data.fixed_size import PictureSet, open_pictures
from restore.degradations import sample as draw
from restore.errors import ConfigError, TrainingError, UsageError
from restore.metrics.frechet import frechet_distance
from restore.models.registry import build
from restore.models.stylegan2 import StyleGAN2
from restore.models.weights import save_weights
from restore.runtime import pick_device
from restore.runtime import threads as computing_with
from restore.train.extractor import Extractor, open_extractor
from restore.train.log import Log
from restore.train.loop import duration
from restore.train.stylegan import Duel
from restore.train.stylegan_config import GeneratorConfig, to_plain
from restore.version import __version__

SHEET = 10  # pictures along a side of the sample sheet


def train_generator(
    config: GeneratorConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains a generator by its recipe; with ``resume`` continues from ``out/last.pt``, bit for bit.

    Writes into ``out``: ``last.pt``, ``best.safetensors`` (the averaged generator with the smallest distance to the
    training pictures, or the latest where pictures have no labels to train a measure on), ``samples.png`` (always
    the same codes), ``log.jsonl``, ``config.json`` and ``extractor.safetensors``.

    Returns:
        ``distance`` (None without labels), ``step`` where it was reached, ``extractor``, ``seconds``.

    Raises:
        UsageError: ``out`` holds a run already, or there are no pictures.
        TrainingError: a loss that is not finite, or nothing to resume.
    """
    where = pick_device(device)
    with computing_with(threads):
        return _run(config, data, out, resume=resume, where=where, report=report)


def _run(
    config: GeneratorConfig,
    data: Path,
    out: Path,
    *,
    resume: bool,
    where: torch.device,
    report: Callable[[str], None],
) -> dict[str, Any]:
    if (out / "last.pt").exists() and not resume:
        raise UsageError(f"{out} already holds a run", hint="--resume continues it; or choose another --out")
    duel = new_duel(config, where)
    net = duel.generator
    pictures = open_pictures(data, resolution=net.resolution, channels=net.channels)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(to_plain(config), indent=1) + "\n")
    start, best, best_step = 0, math.inf, 0
    if resume:
        start, best, best_step = _load(out / "last.pt", duel, where)
    counts = [sum(p.numel() for p in n.parameters()) for n in (net, duel.discriminator)]
    report(f"generator {counts[0]:,} parameters, discriminator {counts[1]:,}, {len(pictures)} pictures")
    extractor = open_extractor(
        out / "extractor.safetensors", pictures, steps=config.measure_steps, report=report
    )
    seen = _real_features(extractor, pictures, config)
    log = Log(out / "log.jsonl", keep_until=start, enabled=True)
    began = last = time.perf_counter()
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
                steps_timed = len(sums["generator"])
                now = time.perf_counter()
                speed = steps_timed * config.batch / max(now - last, 1e-9)
                log.write({"step": done, **means, "p": duel.augment_probability, "images_per_second": speed})
                left = (config.steps - done) * (now - began) / (done - start)
                text = "  ".join(f"{k} {v:.3f}" for k, v in means.items())
                report(f"step {done}/{config.steps}  {text}  {speed:.0f} images/s  left {duration(left)}")
                sums, last = {}, now
            if done % config.snapshot_every == 0 or done == config.steps:
                distance = _distance(duel.average, extractor, seen, config)
                if distance is not None:
                    log.write({"step": done, "distance": distance})
                    report(f"step {done}/{config.steps}  distance {distance:.3f}")
                if distance is None or distance < best:
                    best, best_step = math.inf if distance is None else distance, done
                    name = None if extractor is None else extractor.name
                    save_weights(
                        out / "best.safetensors",
                        duel.average.state_dict(),
                        header(config, done, {"distance": distance, "extractor": name}),
                        dtype=torch.float32,
                    )
                save_sheet(out / "samples.png", duel.average, seed=config.seed)
                _save(out / "last.pt", duel, done, best, best_step)
                last = time.perf_counter()
    finally:
        log.close()
    return {
        "distance": None if math.isinf(best) else best,
        "step": best_step,
        "extractor": None if extractor is None else extractor.name,
        "seconds": time.perf_counter() - began,
    }


def new_duel(config: GeneratorConfig, device: torch.device) -> Duel:
    """Both networks with fresh weights that depend on the seed alone.

    Raises:
        ConfigError: a configuration they do not take.
    """
    torch.manual_seed(config.seed)
    generator = build(config.architecture, {**config.arch, **config.generator})
    discriminator = build(f"{config.architecture}-discriminator", {**config.arch, **config.discriminator})
    if not isinstance(generator, StyleGAN2):
        raise ConfigError(f"expected the architecture stylegan2, got {config.architecture!r}")
    return Duel(generator, discriminator, config, device)


def header(config: GeneratorConfig, step: int, scores: dict[str, Any]) -> dict[str, Any]:
    """What a generator's weight file says of itself."""
    return {
        "name": config.name,
        "task": config.task,
        "architecture": config.architecture,
        "config": {**config.arch, **config.generator},
        "conditions": [],
        "licence": config.licence,
        "training_data": config.training_data,
        "recipe": to_plain(config),
        "steps": step,
        "validation": scores,
        "made_with": f"restore-kit {__version__}, torch {torch.__version__}",
    }


def sample_codes(net: StyleGAN2, count: int, seed: int) -> Tensor:
    """``count`` codes z, always the same for a seed."""
    g = draw.generator(draw.child_seed(seed, "samples"))
    return torch.randn(count, net.z_dim, generator=g).to(net.constant)


def make_pictures(net: StyleGAN2, z: Tensor) -> Tensor:
    """Pictures from codes, in [-1, 1], clamped, in batches."""
    with torch.inference_mode():
        return torch.cat([net(part).clamp(-1, 1) for part in z.split(100)])


def save_sheet(path: Path, net: StyleGAN2, *, seed: int) -> None:
    """A square of pictures without a gap, as 8-bit PNG."""
    from PIL import Image

    x = make_pictures(net, sample_codes(net, SHEET**2, seed))
    rows = x.view(SHEET, SHEET, *x.shape[1:]).permute(0, 3, 1, 4, 2)
    pixels = ((rows.cpu().numpy() + 1) * 127.5).round().astype(np.uint8)
    side = SHEET * net.resolution
    flat = pixels.reshape(side, side, net.channels)
    Image.fromarray(flat[:, :, 0] if net.channels == 1 else flat).save(path)


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


def _save(path: Path, duel: Duel, step: int, best: float, best_step: int) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    torch.save({"step": step, "best": best, "best_step": best_step, "duel": duel.state()}, temporary)
    os.replace(temporary, path)  # noqa: PTH105


def _load(path: Path, duel: Duel, device: torch.device) -> tuple[int, float, int]:
    if not path.exists():
        raise TrainingError(
            f"nothing to resume: {path} is not there", hint="leave --resume out to start anew"
        )
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        duel.load(content["duel"])
    except (RuntimeError, ValueError, KeyError, EOFError) as error:
        raise TrainingError(f"the checkpoint {path} does not fit this recipe: {error}") from error
    return int(content["step"]), float(content["best"]), int(content["best_step"])
