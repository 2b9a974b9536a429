"""The bench: degradations x models x pictures, one row each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from restore.bench.conditions import Condition, parse_condition
from restore.bench.contenders import Contender, Model, make_ready, split_models, starting_row
from restore.bench.environment import environment
from restore.bench.looks import Look
from restore.bench.measure import memory_method, run_measured
from restore.bench.result import BenchResult, add_gains, summarise
from restore.bench.save import Saver
from restore.errors import ImageError, RestoreError, UsageError
from restore.files import Picture, find_pictures, read_picture
from restore.image import array_to_tensor
from restore.metrics import psnr, psnr_y, ssim, ssim_y
from restore.report import Comparison
from restore.runtime import pick_device, threads

Progress: TypeAlias = Callable[[int, int, str], None]


@dataclass
class _Entry:
    """One condition with everyone who takes part in it, and what was seen on the way."""

    condition: Condition
    contenders: list[Contender]
    unclipped: bool = False


@dataclass
class _Run:
    """What grows while the pictures go by."""

    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    looks: list[Comparison] = field(default_factory=list)
    channels: set[int] = field(default_factory=set)


def run_bench(
    data: Path | str,
    *,
    degradations: Sequence[str],
    models: str | Sequence[Model],
    limit: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    thread_count: int | None = None,
    save: Path | str | None = None,
    looks: int = 0,
    progress: Progress | None = None,
) -> BenchResult:
    """Degrades every picture, restores it with every model, and scores it against the original.

    Protocol: the picture is float in [0, 1]; what the degradation gives stays float, neither clipped nor
    rounded, and goes to every model alike; what comes out is clamped to [0, 1], not rounded, and scored. A
    degradation that changes the size is scored on the original cut to a multiple of its scale, the scale left
    out along each edge. A row ``input`` (enlargement: ``bicubic``) shows where the models start. Alpha is
    ignored.

    Args:
        data: a folder of clean pictures, or one file.
        degradations: each is one condition; steps of a pipeline are joined by ``+``.
        models: names as :func:`restore.restorers.load` takes them, lists joined by commas, ``peer:`` names,
            or pairs of a label and any function of ``1 x C x H x W``.
        limit: the first so many pictures, in order of their paths.
        seed: see :meth:`restore.bench.conditions.Condition.degrade`.
        thread_count: processor threads; None: as they are set.
        save: a folder for what the models made, as PNG, ``condition/model/picture.png``.
        looks: how many pictures, evenly spread, are kept as crops for a sheet or a page.
        progress: called as (rows done, rows in all, picture).

    Raises:
        UsageError: an unknown name or value, no pictures, or a model that fits no condition.
    """
    if isinstance(models, str):
        models = [models]
    names = [m for m in models if isinstance(m, str)]
    wanted: list[Model] = [
        *(split_models(names) if names else []),
        *(m for m in models if not isinstance(m, str)),
    ]
    if not wanted or not degradations:
        raise UsageError(
            "expected at least one degradation and one model", hint="-d noise:sigma=25 -m denoise"
        )
    conditions = [parse_condition(text) for text in dict.fromkeys(degradations)]
    root, files, total = list_pictures(Path(data), limit)
    where = str(pick_device(device))
    with threads(thread_count):
        entries, skipped = _entries(wanted, conditions, device=where, precision=precision, tile=tile)
        saver = Saver(Path(save), files) if save is not None else None
        run, digest = _Run(seed), hashlib.blake2b(digest_size=16)
        chosen = {
            files[i] for i in np.linspace(0, len(files) - 1, min(looks, len(files))).round().astype(int)
        }
        steps, done, used = sum(len(e.contenders) for e in entries) * len(files), 0, 0
        for file in files:
            try:
                picture, clean = read_clean(root / file)
            except RestoreError as error:
                run.failures.append({"image": file.as_posix(), "error": str(error)})
                done += steps // len(files)
                continue
            used += 1
            run.channels.add(clean.shape[1])
            digest.update(repr((picture.pixels.shape, picture.pixels.dtype.str)).encode())
            digest.update(np.ascontiguousarray(picture.pixels).tobytes())
            for entry in entries:

                def tell(label: str, file: Path = file) -> None:
                    nonlocal done
                    done += 1
                    if progress is not None:
                        progress(done, steps, f"{file.as_posix()} {label}")

                _one_picture(run, entry, file, picture, clean, saver, file in chosen, tell)
        channels = "+".join({1: "grey", 3: "rgb"}[c] for c in sorted(run.channels, reverse=True)) or "none"
        return BenchResult(
            protocol=" ; ".join(
                e.condition.protocol(channels=channels, seed=seed, unclipped=e.unclipped) for e in entries
            ),
            environment={
                **environment(device=where),
                "precision": ", ".join(
                    sorted({c.precision for e in entries for c in e.contenders if c.precision})
                ),
                "memory": "CUDA allocator" if where.startswith("cuda") else memory_method(),
            },
            data={
                "folder": root.resolve().name,
                "pictures": used,
                "of": total,
                "pixels": f"blake2b:{digest.hexdigest()}",
            },
            options={
                "degradations": [c.label for c in conditions],
                "models": [m if isinstance(m, str) else m[0] for m in wanted],
                "seed": seed,
                "limit": limit,
                "precision": precision,
                "tile": tile,
                "threads": thread_count,
            },
            rows=run.rows,
            summary=_summary(run, entries, channels),
            failures=run.failures,
            skipped=skipped,
            looks=run.looks,
        )


def list_pictures(data: Path, limit: int | None) -> tuple[Path, list[Path], int]:
    """The folder, its pictures relative to it, at most ``limit``, and how many there are.

    Raises:
        UsageError: none, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"expected a limit of 1 or more, got {limit}")
    found = find_pictures(data)
    root = data
    if data.is_file():
        root, found = data.parent, [Path(data.name)]
    if not found:
        raise UsageError(f"no pictures in {str(data)!r}")
    return root, found[:limit], len(found)


def read_clean(path: Path) -> tuple[Picture, Tensor]:
    """A picture and its pixels ``1 x C x H x W`` in [0, 1], float32.

    Raises:
        ImageError: unreadable, CMYK, or floating values outside [0, 1].
    """
    picture = read_picture(path)
    if picture.black is not None:
        raise ImageError("CMYK has no RGB to score", hint="convert it to RGB first")
    clean = array_to_tensor(picture.pixels)
    if not bool(((clean >= 0) & (clean <= 1)).all()):
        raise ImageError("expected values in [0, 1] for a reference", hint="scale the picture first")
    return picture, clean


def _entries(
    models: Sequence[Model], conditions: Sequence[Condition], *, device: str, precision: str, tile: int | None
) -> tuple[list[_Entry], list[dict[str, str]]]:
    entries, skipped = [], []
    fits: set[Model] = set()
    for condition in conditions:
        contenders = []
        for model in models:
            contender = make_ready(model, condition, device=device, precision=precision, tile=tile)
            if contender is None:
                name = model if isinstance(model, str) else model[0]
                reason = f"another scale than {condition.scale}"
                skipped.append({"model": name, "degradation": condition.label, "reason": reason})
            else:
                fits.add(model)
                contenders.append(contender)
        start = starting_row(condition, among=contenders)
        entries.append(_Entry(condition, contenders if start is None else [start, *contenders]))
    for model in models:
        if model not in fits:
            name = model if isinstance(model, str) else model[0]
            scales = sorted({c.scale for c in conditions})
            raise UsageError(
                f"{name} fits no degradation of this bench: they have scale {', '.join(map(str, scales))}"
            )
    return entries, skipped


def _one_picture(
    run: _Run,
    entry: _Entry,
    file: Path,
    picture: Picture,
    clean: Tensor,
    saver: Saver | None,
    look_at: bool,
    tell: Callable[[str], None],
) -> None:
    condition, image = entry.condition, file.as_posix()
    try:
        reference = condition.reference(clean)
        degraded = condition.degrade(reference, seed=run.seed, image=image)
    except RestoreError as error:
        run.failures.append(
            {"image": image, "degradation": condition.label, "model": "any", "error": str(error)}
        )
        for contender in entry.contenders:
            tell(contender.label)
        return
    entry.unclipped |= bool(((degraded < 0) | (degraded > 1)).any())
    look = Look(reference, degraded, condition.scale) if look_at else None
    for contender in entry.contenders:
        try:
            row, restored = _score(contender, condition, degraded, reference, file=image)
        except RestoreError as error:
            about = {"image": image, "degradation": condition.label, "model": contender.label}
            run.failures.append({**about, "error": str(error)})
        else:
            run.rows.append(row)
            if saver is not None:
                saver.write(condition.label, contender.label, file, picture, restored)
            if look is not None:
                look.add(f"{contender.label}  {row['psnr']:.2f} dB", restored)
        tell(contender.label)
    if look is not None:
        run.looks.append(look.comparison(f"{image}, {condition.label}"))


def _score(
    contender: Contender, condition: Condition, degraded: Tensor, reference: Tensor, *, file: str
) -> tuple[dict[str, Any], Tensor]:
    # A copy for everyone: a function that writes into its input must not change what the next one gets.
    out, cost = run_measured(contender, degraded.clone())
    if not isinstance(out, Tensor) or out.shape != reference.shape:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ImageError(f"expected {tuple(reference.shape)} from {contender.label}, got {got}")
    if not bool(torch.isfinite(out).all()):
        raise ImageError(f"{contender.label} gave NaN or infinity")
    restored = out.detach().cpu().float().clamp(0, 1)
    border = condition.border
    scores = {"psnr": psnr, "psnr_y": psnr_y, "ssim": ssim, "ssim_y": ssim_y}
    height, width = reference.shape[-2:]
    row: dict[str, Any] = {"image": file, "model": contender.label, "degradation": condition.label}
    row |= {name: float(score(restored, reference, border=border)) for name, score in scores.items()}
    # The starting row is no work of anybody's.
    row["seconds"] = cost.seconds if contender.is_work else None
    row["cpu_seconds"] = cost.cpu_seconds if contender.is_work else None
    row |= {"megapixels": height * width / 1e6, "height": height, "width": width}
    return row, restored


def _summary(run: _Run, entries: Sequence[_Entry], channels: str) -> list[dict[str, Any]]:
    summary = []
    for entry in entries:
        for c in entry.contenders:
            summary.append(
                summarise(
                    run.rows,
                    model=c.label,
                    degradation=entry.condition.label,
                    peak_memory_mb=c.peak_memory_mb if c.is_work else None,
                    judged=c.judged,
                    fingerprint=c.fingerprint,
                    precision=c.precision,
                    protocol=entry.condition.protocol(
                        channels=channels, seed=run.seed, unclipped=entry.unclipped
                    ),
                )
            )
    add_gains(summary)
    return summary
