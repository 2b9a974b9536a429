"""What ``import restore`` offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restore.bench.compare import compare_folders as compare
from restore.degradations import degradation, presets
from restore.degradations import sample as _draw
from restore.degradations.params import Params
from restore.diagnosis.measure import measure_picture
from restore.diagnosis.measurement import Measurement
from restore.errors import ImageError
from restore.folder import FolderResult, degrade_folder, restore_folder
from restore.image import as_batch
from restore.restorers import Restorer, load, names

__all__ = [
    "FolderResult",
    "Restorer",
    "compare",
    "degrade",
    "degrade_folder",
    "diagnose",
    "load",
    "names",
    "replay",
    "restore_folder",
]


def degrade(
    image: Any, spec: str | Sequence[str], *, seed: int = 0, severity: float | None = None
) -> tuple[Any, list[dict[str, Any]]]:
    """A degraded copy of a picture, and what was drawn, one JSON-able record per sample.

    Args:
        image: a tensor ``B x C x H x W`` or ``C x H x W`` in [0, 1], an array or a PIL image; same kind back.
        spec: ``"noise:sigma=25"``, or several in order.
        seed: the same seed gives the same picture on every run.
        severity: 0 (identity) to 5; None: what ``spec`` fixes, else drawn.

    Raises:
        UsageError: an unknown name or parameter.
        ImageError: not an image.
    """
    x, back = as_batch(image)
    y, params = degradation(spec)(x, severity=severity, generator=_draw.generator(seed))
    return back(y), params.to_json()


def diagnose(image: Any, *, tables: tuple[tuple[int, ...], ...] | None = None) -> dict[str, Measurement]:
    """What is measured of one picture, by the name of the quantity, each with a 90 % interval.

    Args:
        image: a tensor ``1 x C x H x W`` or ``C x H x W`` in [0, 1], an array or a PIL image.
        tables: quantisation tables of the JPEG file it comes from, if it does.

    Raises:
        ImageError: not an image, or a batch of several.
    """
    x, _ = as_batch(image)
    if len(x) != 1:
        raise ImageError(f"diagnose: expected one picture, got a batch of {len(x)}", hint="x.split(1)")
    height, width = x.shape[-2:]
    return measure_picture(lambda t, b, le, r: x[..., t:b, le:r], height, width, tables)


def replay(image: Any, records: list[dict[str, Any]]) -> Any:
    """The degraded copy that ``records`` of :func:`degrade` describe, bit for bit.

    Raises:
        RestoreError: records that belong to another picture count or schema.
    """
    x, back = as_batch(image)
    params = Params.from_json(records)
    return back(presets.replay(params).apply(x, params))
