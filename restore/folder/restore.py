"""A folder of pictures restored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from restore.errors import UsageError
from restore.folder.plan import Job, PathLike, parse_shard, plan
from restore.folder.planes import blend, change_planes, same_pixels
from restore.folder.result import FolderResult, OnEvent
from restore.folder.run import Progress, run

if TYPE_CHECKING:
    from restore.files import Picture
    from restore.restorers import Restorer


def restore_folder(
    source: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    model: str = "denoise",
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    dry_run: bool = False,
    format: str | None = None,
    quality: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: int | None = None,
    strength: float = 1.0,
    on_event: OnEvent | None = None,
) -> FolderResult:
    """Restores the pictures of ``source`` (a folder, a picture, or several) into ``out``, keeping subfolders.

    Pictures finished by an earlier call with the same settings are skipped, so a killed run is continued by
    the same call. A picture that cannot be done is in ``failed`` with its reason, and the rest goes on.
    Alpha, the picture's depth, profile and metadata are kept. Where a restorer changes no pixel the file itself
    is copied, so that a lossy format is not coded once more for nothing.

    Args:
        model: a restorer, ``name`` or ``name:key=value,key=value``.
        overwrite: do everything again and replace what is in the way.
        shard: "I/N" or (I, N): only the I-th of N parts; parts may run at the same time into one folder.
        dry_run: change nothing; ``planned`` lists what would be done.
        format: "png", "jpeg", "webp", "tiff", or None for the format of each source.
        quality: of JPEG and WebP, 1 to 100; None keeps that of a JPEG source.
        engine: what computes networks, see :func:`restore.restorers.load`.
        tile: side of a tile in pixels; None chooses.
        strength: 0 (the source's pixels, bit for bit) to 1 (the restorer's result); blends in between.
        on_event: called with news (:class:`restore.folder.result.Event`) while it runs.

    Raises:
        UsageError: a call that could not do what it says; nothing was done then.
        RestoreError: weights that cannot be loaded, or an output folder that is full.
    """
    part = parse_shard(shard)
    _check(strength, quality)
    jobs = plan(source, out, format=format)

    from restore.restorers import load

    restorer = load(model, device=device, precision=precision, engine=engine, tile=tile)
    scale = int(restorer.spec.scale)
    if scale != 1 and strength != 1.0:
        raise UsageError(
            f"strength {strength:g} needs pictures of one size, but {restorer.name} changes it {scale}-fold",
            hint="leave --strength out",
        )
    settings = {
        "command": "run",
        "model": restorer.name,
        "fingerprint": restorer.fingerprint,
        "precision": restorer.spec.precision,
        "engine": restorer.spec.engine,
        "strength": float(strength),
        "format": format or "keep",
        "quality": quality,
    }

    def work(job: Job, picture: Picture, progress: Progress) -> tuple[Picture | None, Any]:
        made = restore_picture(picture, restorer, strength=strength, progress=progress)
        as_it_came = (
            format in (None, "keep") and quality is None and Path(job.output).suffix == job.source.suffix
        )
        return (None if as_it_came and same_pixels(picture, made) else made), None

    return run(
        jobs,
        out,
        work,
        settings=settings,
        format=format,
        quality=quality,
        factor=1.0 + scale * scale,
        overwrite=overwrite,
        shard=part,
        dry_run=dry_run,
        on_event=on_event,
    )


def restore_picture(
    picture: Picture, restorer: Restorer, *, strength: float = 1.0, progress: Progress | None = None
) -> Picture:
    """One picture as it was read, restored with everything that belongs to it; see :func:`restore_folder`."""

    def change(pixels: np.ndarray) -> np.ndarray:
        if strength <= 0:
            return pixels
        return blend(pixels, restorer.restore_pixels(pixels, progress=progress), strength)

    return change_planes(picture, change)


def _check(strength: float, quality: int | None) -> None:
    if not 0.0 <= strength <= 1.0:
        raise UsageError(f"expected a strength from 0 to 1, got {strength:g}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"expected a quality from 1 to 100, got {quality}")
