"""Pictures in files through an inverter: planned, in batches, resumable, one record a picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.operators import Operator
from restore.errors import ImageError, UsageError
from restore.files import Picture, find_pictures, read_picture, write_file, write_picture
from restore.image import array_to_tensor, tensor_to_array, to_grey
from restore.inverse.gan.diagnostics import diagnose
from restore.inverse.gan.fit import Inverter
from restore.inverse.gan.measurements import is_picture, measure, operator_named
from restore.report import dumps
from restore.resample import imresize

RECORDS = "inversions.json"


@dataclass(frozen=True)
class Job:
    """What is done to every picture; together with the picture's own bytes it decides the result.

    Args:
        operator: how the pictures came to be, by name. simulate: the pictures are whole, and are measured first.
        generator, method: what goes into the record and decides whether a picture is finished.
        steps, patience, restarts: as for :meth:`Inverter.fit`; steps None: the method's. encoder_steps: as for
            :class:`restore.inverse.gan.workshop.Workshop`.
    """

    generator: str
    method: str
    operator: str = "identity"
    simulate: bool = False
    steps: int | None = None
    patience: int = 0
    restarts: int = 1
    seed: int = 0
    encoder_steps: int = 0


@dataclass
class Outcome:
    """What became of the pictures: records of those done now, names skipped, reasons of failures."""

    records: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def invert_pictures(
    inverter: Inverter,
    job: Job,
    source: Path,
    out: Path,
    *,
    batch: int = 16,
    time_budget: float | None = None,
    overwrite: bool = False,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    on_picture: Callable[[dict[str, Any]], None] = lambda record: None,
) -> Outcome:
    """Inverts every picture of a folder (or one picture) into ``out``.

    Writes ``NAME.png`` (the generator's picture, 8 bits), ``NAME.safetensors`` (codes and variables) and
    ``inversions.json`` (all records with their diagnostics). What was finished with the same job is skipped; a
    picture that cannot be read is reported and the rest goes on.

    Args:
        time_budget: seconds for all pictures.

    Raises:
        UsageError: no pictures, two that would write one file, or an operator that leaves no picture to read.
    """
    net = inverter.net
    shape = (net.channels, net.resolution, net.resolution)
    operator, noise = operator_named(job.operator, shape)
    if not job.simulate and not is_picture(operator):
        raise UsageError(
            f"{operator.name} does not leave a picture to read",
            hint="--simulate measures whole pictures first",
        )
    names = find_pictures(source)
    if not names:
        raise UsageError(f"no pictures in {str(source)!r}")
    folder = source if source.is_dir() else source.parent
    relative = [n if source.is_dir() else Path(n.name) for n in names]
    _check_targets(relative)
    known = {} if overwrite else _read_records(out / RECORDS)
    outcome, todo = Outcome(), []
    for name in relative:
        mark = _mark(folder / name, job)
        before = known.get(name.as_posix())
        if before is not None and before["mark"] == mark and (out / name).with_suffix(".png").exists():
            outcome.skipped.append(name.as_posix())
            continue
        try:
            x = _read(folder / name, operator, shape, job.simulate)
        except ImageError as error:
            outcome.failed[name.as_posix()] = error.message
            continue
        todo.append((name, mark, x))
    for at in range(0, len(todo), batch):
        part = todo[at : at + batch]
        seeds = [draw.child_seed(job.seed, name.as_posix()) for name, _, _ in part]
        x = torch.cat([p for _, _, p in part])
        y = measure(operator, x, noise, seeds=seeds) if job.simulate else x
        budget = None if time_budget is None else time_budget * len(part) / len(todo)
        found = inverter.fit(
            y,
            operator,
            steps=job.steps,
            seeds=seeds,
            batch=batch,
            restarts=job.restarts,
            noise_sigma=noise,
            patience=job.patience,
            time_budget=budget,
            report=on_step,
        )
        records = diagnose(inverter, found, y, operator, truth=x if job.simulate else None)
        for i, (name, mark, _) in enumerate(part):
            record = {
                "file": name.as_posix(),
                "mark": mark,
                "generator": job.generator,
                "method": job.method,
                "operator": job.operator,
                "simulated": job.simulate,
                "seed": found.seeds[i],
                "loss": float(found.loss[i]),
                "data_term": found.data_term,
                "seconds": found.seconds / len(part),
                **records[i],
            }
            _write(out / name, found.image[i : i + 1], {"ws": found.ws[i], **_row(found.latents, i)})
            known[name.as_posix()] = record
            outcome.records.append(record)
            on_picture(record)
        write_file(out / RECORDS, dumps({"schema": 1, "pictures": [known[k] for k in sorted(known)]}))
    return outcome


def framed(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """``1 x 3 x H x W`` or grey to the generator's channels and size: the middle square, resampled (bicubic)."""
    channels, side, _ = shape
    x = to_grey(x) if channels == 1 else x.expand(-1, 3, -1, -1)
    h, w = x.shape[-2:]
    square = min(h, w)
    top, left = (h - square) // 2, (w - square) // 2
    x = x[..., top : top + square, left : left + square]
    return x if square == side else imresize(x, size=(side, side)).clamp(0, 1)


def _read(path: Path, operator: Operator, shape: tuple[int, int, int], simulate: bool) -> Tensor:
    x = array_to_tensor(read_picture(path).pixels)
    if simulate or operator.output_shape == shape:
        return framed(x, shape)
    channels, high, wide = operator.output_shape
    if tuple(x.shape[2:]) != (high, wide):
        raise ImageError(
            f"{operator.name} leaves pictures of {wide} x {high}, {path.name} has {x.shape[3]} x {x.shape[2]}"
        )
    return to_grey(x) if channels == 1 else x.expand(-1, 3, -1, -1)


def _write(path: Path, image: Tensor, tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    data = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    write_file(path.with_suffix(".safetensors"), data)
    write_picture(path.with_suffix(".png"), Picture(pixels=tensor_to_array(image, np.uint8)))


def _row(table: dict[str, Tensor], i: int) -> dict[str, Tensor]:
    return {f"latents.{k}": v[i] for k, v in table.items()}


def _mark(path: Path, job: Job) -> str:
    """What decides the result, as one short text."""
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        content = ""
    return hashlib.sha256(f"{content} {job}".encode()).hexdigest()[:16]


def _check_targets(names: Sequence[Path]) -> None:
    taken: dict[Path, Path] = {}
    for name in names:
        other = taken.setdefault(name.with_suffix(".png"), name)
        if other is not name:
            raise UsageError(f"{other} and {name} would both write {name.with_suffix('.png')}")


def _read_records(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        return {r["file"]: r for r in json.loads(path.read_text(encoding="utf-8"))["pictures"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not a record of inversions: {error}", hint="choose another folder, or --overwrite"
        ) from error
