"""The one table of named degradations."""

from __future__ import annotations

from collections.abc import Sequence

from restore.degradations import blur, codec, noise, resize
from restore.degradations.base import Degradation, Params
from restore.degradations.pipeline import Pipeline
from restore.errors import unknown
from restore.names import parse_name

TABLE: dict[str, Degradation] = {
    "noise": noise.GAUSSIAN,
    "awgn": noise.BENCHMARK,
    "poisson-gaussian": noise.POISSON_GAUSSIAN,
    "blur": blur.GAUSSIAN,
    "defocus": blur.DEFOCUS,
    "motion": blur.MOTION,
    "downsample": resize.DOWNSAMPLE,
    "pixelate": resize.PIXELATE,
    "jpeg": codec.JPEG,
    "jpeg-diff": codec.JPEG_DIFF,
    "quantise": codec.QUANTISE,
    "clip": codec.CLIP,
}


def names() -> list[str]:
    """Every name that :func:`degradation` takes."""
    return sorted(TABLE)


def degradation(spec: str | Sequence[str]) -> Degradation | Pipeline:
    """``"noise:sigma=25"``, or several in order, as a degradation.

    Raises:
        UsageError: an unknown name or parameter, or a value out of range.
    """
    parts = [spec] if isinstance(spec, str) else list(spec)
    steps = [_one(part) for part in parts]
    return steps[0] if len(steps) == 1 else Pipeline(tuple(steps))


def replay(params: Params) -> Degradation | Pipeline:
    """The degradation that recorded parameters belong to."""
    if params.steps:
        return Pipeline(tuple(_one(step.name) for step in params.steps))
    return _one(params.name)


def _one(text: str) -> Degradation:
    name, values = parse_name(text)
    if name not in TABLE:
        raise unknown("degradation", name, TABLE)
    return TABLE[name].with_values(**values)
