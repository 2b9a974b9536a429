"""A folder of pictures degraded, with every parameter recorded and replayable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from restore.errors import ImageError, UsageError
from restore.folder.manifest import Manifest
from restore.folder.plan import Job, PathLike, parse_shard, plan
from restore.folder.planes import change_planes
from restore.folder.result import FolderResult, OnEvent
from restore.folder.run import Progress, run
from restore.names import show_name

if TYPE_CHECKING:
    from restore.degradations.params import Params
    from restore.files import Picture


def degrade_folder(
    source: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    degradation: str | Sequence[str] | None = None,
    seed: int = 0,
    severity: float | None = None,
    params: PathLike | None = None,
    replay: PathLike | None = None,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    dry_run: bool = False,
    format: str | None = None,
    quality: int | None = None,
    on_event: OnEvent | None = None,
    max_megapixels: float = 400.0,
) -> FolderResult:
    """Degrades every picture below ``source`` into ``out``; resumable and safe as :func:`restore_folder` is.

    Each picture draws from a seed of its own, a hash of ``seed`` and its relative path: neither the order nor
    what else is in the folder matters. The result is clipped and rounded to the depth of the file (a floating
    TIFF is kept as it is). Alpha is left alone unless the size changes.

    Args:
        degradation: ``name:key=value``, or several, done in order.
        severity: 0 to 5, see :meth:`restore.degradations.base.Degradation.sample`.
        params: a JSON-lines file that gets one line per finished picture of ``out``, sorted:
            ``{"file", "seed", "shape": [C, H, W], "params"}``.
        max_megapixels: larger pictures are refused by their header.
        replay: such a file; its parameters are applied instead of drawing, and give the same bytes.

    Raises:
        UsageError: a call that could not do what it says; nothing was done then.
    """
    from restore.degradations import presets
    from restore.degradations.recorded import read_records
    from restore.files import read_picture

    part = parse_shard(shard)
    if (degradation is None) == (replay is None):
        raise UsageError(
            "expected either a degradation or recorded parameters", hint="-d NAME or --replay FILE"
        )
    if severity is not None and not 0 <= severity <= 5:
        raise UsageError(f"expected a severity from 0 to 5, got {severity:g}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"expected a quality from 1 to 100, got {quality}")
    chosen = presets.degradation(degradation) if degradation is not None else None
    recorded = read_records(replay) if replay is not None else {}
    if params is not None:
        _check_params(Path(params))
    planned = plan(source, out, format=format)
    jobs = planned.jobs
    settings = {
        "command": "degrade",
        "degradation": chosen.label if chosen is not None else None,
        "seed": seed if chosen is not None else None,
        "severity": severity,
        "replay": _digest(recorded) if replay is not None else None,
        "format": format or "keep",
        "quality": quality,
    }

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture, Any]:
        from restore.degradations import sample as draw

        height, width, channels = picture.pixels.shape
        shape = [channels, height, width]
        if chosen is None:
            record = _recorded(recorded, job.file, shape)
            return _replay(picture, record), record
        child = draw.child_seed(seed, job.file)
        drawn = chosen.sample((1, *shape), severity=severity, generator=draw.generator(child))
        record = {"file": job.file, "seed": child, "shape": shape, "params": drawn.to_json()[0]}
        return degrade_picture(picture, drawn), record

    def record_params(manifest: Manifest) -> None:
        if params is not None:
            with manifest.locked():
                _write_params(Path(params), manifest.records())

    result = run(
        jobs,
        out,
        work,
        settings=settings,
        format=format,
        quality=quality,
        # Source and result as float32 beside the 8-bit ones, and a few fields of the degradation.
        factor=16.0,
        overwrite=overwrite,
        shard=part,
        dry_run=dry_run,
        at_end=record_params,
        on_event=on_event,
        read=lambda job: read_picture(job.source, max_megapixels=max_megapixels),
    )
    result.others, result.earlier = planned.others, planned.earlier
    return result


def degrade_picture(picture: Picture, params: Params) -> Picture:
    """One picture as it was read, degraded by drawn or recorded parameters."""
    from restore.degradations import presets
    from restore.image import array_to_tensor, tensor_to_array

    degradation = presets.replay(params)

    def change(pixels: np.ndarray) -> np.ndarray:
        return tensor_to_array(degradation.apply(array_to_tensor(pixels), params), pixels.dtype)

    return change_planes(picture, change)


def _recorded(records: dict[str, dict[str, Any]], file: str, shape: list[int]) -> dict[str, Any]:
    if file not in records:
        raise ImageError("no parameters are recorded for it")
    if records[file]["shape"] != shape:
        raise ImageError(f"expected the recorded shape {records[file]['shape']} (C, H, W), got {shape}")
    return records[file]


def _replay(picture: Picture, record: dict[str, Any]) -> Picture:
    from restore.degradations.params import Params

    try:
        return degrade_picture(picture, Params.from_json([record["params"]]))
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        RuntimeError,
        ArithmeticError,
        AttributeError,
    ) as error:
        # Legal numbers one by one, in a combination that is never drawn.
        raise ImageError(
            f"what is recorded of it cannot be done ({type(error).__name__}: {str(error)[:200]})",
            hint="use a params file as it was written",
        ) from error


def _check_params(path: Path) -> None:
    """An existing file is replaced only if it is a params file."""
    from restore.degradations.recorded import read_records

    if path.is_dir():
        raise UsageError(f"expected a file for the parameters, but {show_name(path)} is a folder")
    if path.exists():
        try:
            read_records(path)
        except UsageError:
            raise UsageError(
                f"{show_name(path)} is in the way and holds no parameters",
                hint="give another file to --params",
            ) from None


def _write_params(path: Path, records: dict[str, Any]) -> None:
    from restore.files import write_file

    write_file(path, "".join(json.dumps(records[file]) + "\n" for file in sorted(records) if records[file]))


def _digest(records: dict[str, Any]) -> str:
    text = json.dumps(records, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
