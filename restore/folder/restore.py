"""A folder of pictures restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from restore.errors import ImageError, UsageError
from restore.folder.masks import Masks
from restore.folder.pending import Pending
from restore.folder.plan import Job, PathLike, in_shard, parse_shard, plan
from restore.folder.planes import blend, change_planes, same_pixels
from restore.folder.result import FolderResult, OnEvent
from restore.folder.run import Progress, run
from restore.folder.show import before_and_after, spread
from restore.folder.uncertainty import Maps

if TYPE_CHECKING:
    from restore.files import Picture
    from restore.report import Comparison
    from restore.restorers import Diagnosis, Restorer


def restore_folder(
    source: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    model: str = "auto",
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
    operator: PathLike | None = None,
    mask: PathLike | None = None,
    on_event: OnEvent | None = None,
    looks: int = 0,
    uncertainty: PathLike | None = None,
    preview: bool = False,
    max_megapixels: float | None = None,
) -> FolderResult:
    """Restores the pictures of ``source`` (a folder, a picture, or several) into ``out``, keeping subfolders.

    Pictures finished by an earlier call with the same settings are skipped, so a killed run is continued by
    the same call. A picture that cannot be done is in ``failed`` with its reason, and the rest goes on.
    Alpha, the picture's depth, profile and metadata are kept. Where a restorer changes no pixel the file itself
    is copied, so that a lossy format is not coded once more for nothing.

    Args:
        model: a restorer, ``name`` or ``name:key=value,key=value``; ``auto`` looks at each picture first.
        overwrite: do everything again and replace what is in the way.
        shard: "I/N" or (I, N): only the I-th of N parts; parts may run at the same time into one folder.
        dry_run: change nothing; ``planned`` lists what would be done.
        format: "png", "jpeg", "webp", "tiff", or None for the format of each source.
        quality: of JPEG and WebP, 1 to 100; None keeps that of a JPEG source.
        engine: what computes networks, see :func:`restore.restorers.load`.
        tile: side of a tile in pixels; None chooses.
        strength: 0 (the source's pixels, bit for bit) to 1 (the restorer's result); blends in between.
        operator: what is known of how each picture came about, for restorers that want it: a params file of
            :func:`restore.degrade_folder`, a folder of masks, or a psf (see :func:`restore.inverse.open_known`).
            A picture is done again when what is known of it has changed.
        mask: a folder of masks, or one file for all, for restorers that fill: each picture's has the picture's path
            without its ending, is as large, and white where pixels are missing.
        on_event: called with news (:class:`restore.folder.result.Event`) while it runs.
        uncertainty: a folder for maps of the half-width of 90 % intervals (:mod:`restore.folder.uncertainty`);
            costs four more restorations per picture.
        preview: beside each map a coloured picture of it.
        max_megapixels: larger pictures are refused by their header. None: 400, and 4000 for what is restored by
            bands: PNG, JPEG and TIFF above 400 megapixels, by restorers that work in tiles, never whole in memory.
        looks: of so many pictures, evenly spread, before and after are kept small in ``looks``.

    Raises:
        UsageError: a call that could not do what it says; nothing was done then.
        RestoreError: weights that cannot be loaded, or an output folder that is full.
    """
    part = parse_shard(shard)
    _check(strength, quality)
    planned = plan(source, out, format=format)
    jobs = planned.jobs

    from restore.files.large import Large, read_any
    from restore.restorers import load

    restorer = load(model, device=device, precision=precision, engine=engine, tile=tile, operator=operator)
    jobs = [replace(job, key=restorer.key(job.file)) for job in jobs]
    scale = int(restorer.spec.scale)
    if scale != 1 and strength != 1.0:
        raise UsageError(
            f"strength {strength:g} needs pictures of one size, but {restorer.name} changes it {scale}-fold",
            hint="leave --strength out",
        )
    masks = Masks(mask, restorer) if mask is not None or restorer.spec.mask else None
    settings = {
        "command": "run",
        "model": restorer.name,
        "fingerprint": restorer.fingerprint,
        "precision": restorer.spec.precision,
        "engine": restorer.spec.engine,
        "strength": float(strength),
        "format": format or "keep",
        "quality": quality,
        **({} if masks is None else {"mask": masks.fingerprint}),
    }
    maps = None
    if uncertainty is not None:
        if strength != 1.0:
            raise UsageError("intervals are calibrated for strength 1", hint="leave --strength out")
        maps = Maps(Path(uncertainty), restorer, preview=preview)
        settings |= maps.settings
        if not dry_run:
            maps.open()

    shown: dict[str, Comparison] = {}
    wanted = spread([job.file for job in jobs if in_shard(job.file, part)], looks)

    def as_it_came(job: Job) -> bool:
        return format in (None, "keep") and quality is None and Path(job.output).suffix == job.source.suffix

    def by_bands(job: Job, picture: Large, own: Restorer, progress: Progress) -> Pending | None:
        from restore.files import format_named
        from restore.folder.bands import restore_large

        kind = picture.kind if format in (None, "keep") else format_named(str(format))
        pending, changed = restore_large(
            picture,
            Path(out) / job.output,
            own,
            kind=kind,
            quality=quality,
            strength=strength,
            progress=progress,
        )
        if changed or not as_it_came(job):
            return pending
        pending.discard()
        return None

    def read(job: Job) -> Any:
        return read_any(job.source, max_megapixels)

    def work(job: Job, picture: Any, progress: Progress) -> tuple[Picture | Pending | None, Any]:
        own = restorer.of(job.file)
        if isinstance(picture, Large):
            if masks is not None or maps is not None:
                raise ImageError("masks and maps are not made for pictures of this size")
            return by_bands(job, picture, own, progress), None
        diagnosis = diagnose(picture, own)
        missing = None if masks is None else masks.of(job.file)
        made = restore_picture(
            picture, own, strength=strength, progress=progress, diagnosis=diagnosis, mask=missing
        )
        if maps is not None:
            maps.write(job.output, picture)
        if job.file in wanted:
            shown[job.file] = before_and_after(job.file, picture, made, diagnosis)
        record: dict[str, Any] = {} if diagnosis is None else dict(diagnosis.to_json())
        if own.diagnostics:
            record["diagnostics"] = own.diagnostics
        return (None if as_it_came(job) and same_pixels(picture, made) else made), record or None

    result = run(
        jobs,
        out,
        work,
        settings=settings,
        format=format,
        quality=quality,
        factor=max(1.0 + scale * scale, restorer.memory) + (24.0 if maps is not None else 0.0),
        overwrite=overwrite,
        shard=part,
        dry_run=dry_run,
        on_event=on_event,
        read=read,
    )
    result.others, result.earlier = planned.others, planned.earlier
    done = {outcome.file for outcome in result.done}
    result.looks = [shown[file] for file in sorted(shown) if file in done]
    return result


def diagnose(picture: Picture, restorer: Restorer) -> Diagnosis | None:
    """What ``restorer`` finds in a picture as it was read; colours that nobody sees do not count."""
    from restore.files import fill_under_alpha

    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = fill_under_alpha(pixels, picture.alpha)
    return restorer.diagnose(pixels, tables=picture.tables)


def restore_picture(
    picture: Picture,
    restorer: Restorer,
    *,
    strength: float = 1.0,
    progress: Progress | None = None,
    diagnosis: Diagnosis | None = None,
    mask: np.ndarray | None = None,
) -> Picture:
    """One picture as it was read, restored with everything that belongs to it; see :func:`restore_folder`."""

    def change(pixels: np.ndarray) -> np.ndarray:
        if strength <= 0:
            return pixels
        made = restorer.restore_pixels(pixels, progress=progress, diagnosis=diagnosis, mask=mask)
        if strength < 1 and made.shape != pixels.shape:
            raise ImageError(
                f"strength {strength:g} needs pictures of one size, but this one changes its size"
            )
        return blend(pixels, made, strength)

    return change_planes(picture, change)


def _check(strength: float, quality: int | None) -> None:
    if not 0.0 <= strength <= 1.0:
        raise UsageError(f"expected a strength from 0 to 1, got {strength:g}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"expected a quality from 1 to 100, got {quality}")
