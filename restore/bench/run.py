"""The bench: degradations x models x pictures, one row each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from restore.bench.conditions import Condition, parse_condition
from restore.bench.contenders import INPUT, Model, label_of, make_ready, split_models, starting_row
from restore.bench.means import add_gains, add_shares, summarise
from restore.bench.measure import memory_method
from restore.bench.result import BenchResult
from restore.bench.save import Saver
from restore.bench.score import Entry, Tally, read_clean, score_picture
from restore.bench.sets import SetDistances
from restore.errors import RestoreError, UsageError
from restore.files import find_pictures
from restore.metrics.table import pick_measures
from restore.report.environment import environment
from restore.runtime import pick_device, threads

Progress: TypeAlias = Callable[[int, int, str], None]


def run_bench(
    data: Path | str,
    *,
    degradations: Sequence[str],
    models: str | Sequence[Model],
    limit: int | None = None,
    seed: int = 0,
    metrics: Sequence[str] = (),
    sets: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: int | None = None,
    thread_count: int | None = None,
    save: Path | str | None = None,
    looks: int = 0,
    luma: bool = False,
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
        metrics: further measures by name, see :data:`restore.metrics.table.MEASURES`.
        sets: a feature network; adds the distances between all restored and all true pictures.
        thread_count: processor threads; None: as they are set.
        save: a folder for what the models made, as PNG, ``condition/model/picture.png``.
        looks: how many pictures, evenly spread, are kept as crops for a sheet or a page.
        luma: only the luma of the pictures (BT.601, studio range, 8 bits), as grey ones, takes part: how JPEG
            artefacts are scored.
        progress: called as (rows done, rows in all, picture).

    Raises:
        UsageError: an unknown name or value, no pictures, or a model that fits no condition.
    """
    wanted = _models(models)
    asked = [replace(parse_condition(text), luma=luma) for text in degradations]
    conditions = list({c.label: c for c in asked}.values())
    if not conditions:
        raise UsageError("expected at least one degradation", hint="-d noise:sigma=25")
    root, files, total = list_pictures(Path(data), limit)
    where = str(pick_device(device))
    with threads(thread_count):
        entries, skipped = _entries(
            wanted, conditions, device=where, precision=precision, engine=engine, tile=tile
        )
        saver = Saver(Path(save), files) if save is not None else None
        tally = Tally(
            seed, measures=pick_measures(metrics), sets=SetDistances(sets) if sets is not None else None
        )
        pixels = _go(tally, entries, root, files, saver=saver, looks=looks, progress=progress)
        channels = "+".join({1: "grey", 3: "rgb"}[c] for c in sorted(tally.channels, reverse=True)) or "none"
        summary = _summary(tally, entries, channels)
        used = sorted({f"{c.precision} by {c.engine}" for e in entries for c in e.contenders if c.precision})
        memory = "growth at the peak of CUDA's allocator" if where.startswith("cuda") else memory_method()
        return BenchResult(
            protocol=" ; ".join(
                [*dict.fromkeys(entry["protocol"] for entry in summary), *_more_protocol(tally)]
            ),
            environment={**environment(device=where), "precision": ", ".join(used) or None, "memory": memory},
            data={
                "folder": root.resolve().name,
                "pictures": tally.pictures,
                "of": total,
                "pixels": f"blake2b:{pixels}",
            },
            options={
                "luma": luma,
                "degradations": [c.label for c in conditions],
                "models": [label_of(model) for model in wanted],
                "seed": seed,
                "limit": limit,
                "precision": precision,
                "engine": engine,
                "tile": tile,
                "threads": thread_count,
                "metrics": list(tally.measures),
                "sets": sets,
            },
            rows=tally.rows,
            summary=summary,
            failures=tally.failures,
            skipped=skipped,
            looks=tally.looks,
        )


def _models(models: str | Sequence[Model]) -> list[Model]:
    """Names split at their commas, then functions, every label once."""
    given: Sequence[Model] = [models] if isinstance(models, str) else models
    names = [model for model in given if isinstance(model, str)]
    functions = [model for model in given if not isinstance(model, str)]
    wanted: list[Model] = [*(split_models(names) if names or not functions else []), *functions]
    for label, count in Counter(map(label_of, wanted)).items():
        if count > 1 or label == INPUT:
            raise UsageError(f"expected every model under a label of its own, got {label!r}")
    return wanted


def _go(
    tally: Tally,
    entries: Sequence[Entry],
    root: Path,
    files: Sequence[Path],
    *,
    saver: Saver | None,
    looks: int,
    progress: Progress | None,
) -> str:
    """Reads and scores every picture; returns the hash of all pixels read, in the order of their paths."""
    digest = hashlib.blake2b(digest_size=16)
    chosen = {files[i] for i in np.linspace(0, len(files) - 1, min(looks, len(files))).round().astype(int)}
    each = sum(len(entry.contenders) for entry in entries)
    done = 0
    for number, file in enumerate(files):
        done = number * each

        def tell(label: str, file: Path = file) -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, each * len(files), f"{file.as_posix()} {label}")

        try:
            picture, clean = read_clean(root / file)
        except RestoreError as error:
            tally.failures.append({"image": file.as_posix(), "error": error.message})
            continue
        tally.pictures += 1
        tally.channels.add(clean.shape[1])
        digest.update(repr((picture.pixels.shape, picture.pixels.dtype.str)).encode())
        digest.update(np.ascontiguousarray(picture.pixels).tobytes())
        for entry in entries:
            score_picture(tally, entry, file, picture, clean, saver=saver, look_at=file in chosen, tell=tell)
    return digest.hexdigest()


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


def _entries(
    models: Sequence[Model],
    conditions: Sequence[Condition],
    *,
    device: str,
    precision: str,
    engine: str,
    tile: int | None,
) -> tuple[list[Entry], list[dict[str, str]]]:
    entries, skipped = [], []
    fits: set[Model] = set()
    for condition in conditions:
        contenders = []
        for model in models:
            contender = make_ready(
                model, condition, device=device, precision=precision, engine=engine, tile=tile
            )
            if contender is None:
                reason = f"another scale than {condition.scale}"
                skipped.append({"model": label_of(model), "degradation": condition.label, "reason": reason})
            else:
                fits.add(model)
                contenders.append(contender)
        start = starting_row(condition, among=contenders)
        entries.append(Entry(condition, contenders if start is None else [start, *contenders]))
    for model in models:
        if model not in fits:
            scales = ", ".join(map(str, sorted({c.scale for c in conditions})))
            raise UsageError(f"{label_of(model)} fits no degradation of this bench: they have scale {scales}")
    return entries, skipped


def _more_protocol(tally: Tally) -> list[str]:
    """What belongs to the measures that were asked for."""
    lines = [f"{name}: {measure.protocol}" for name, measure in tally.measures.items()]
    return lines if tally.sets is None else [*lines, tally.sets.protocol]


def _summary(tally: Tally, entries: Sequence[Entry], channels: str) -> list[dict[str, Any]]:
    summary = []
    for entry in entries:
        for c in entry.contenders:
            summary.append(
                summarise(
                    tally.rows,
                    model=c.label,
                    degradation=entry.condition.label,
                    peak_memory_mb=c.peak_memory_mb if c.is_work else None,
                    judged=c.judged,
                    fingerprint=c.fingerprint,
                    precision=c.precision,
                    engine=c.engine,
                    protocol=entry.condition.protocol(
                        channels=channels, seed=tally.seed, unclipped=entry.unclipped
                    ),
                    measures=tuple(tally.measures),
                    **(tally.sets.distances(entry.condition.label, c.label) if tally.sets else {}),
                )
            )
    add_gains(summary, tally.rows)
    add_shares(summary, tally.rows)
    return summary
