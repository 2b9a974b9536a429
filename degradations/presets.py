"""The one table of named degradations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restore.degradations import (
    blotches,
    blur,
    camera_shake,
    codec,
    codecs,
    cracks,
    dim_light,
    dust,
    fading,
    flakes,
    glass_drops,
    halftone,
    haze,
    imagenet_c,
    kernel_blur,
    lens_drops,
    local_blur,
    lowlight,
    lowres,
    moire,
    night_haze,
    noise,
    occlusion,
    optics,
    photosites,
    precipitation,
    print_tone,
    processing,
    raw,
    recipe_noise,
    rescale,
    resize,
    scene_haze,
    scratches,
    sensor,
    stains,
    streaks,
    tinted_water,
    underwater,
    watermark,
)
from restore.degradations.base import Degradation
from restore.degradations.combine import Combinator, Compose, Drawn
from restore.degradations.mixtures import MIXTURES, mixture
from restore.degradations.params import Params
from restore.degradations.pipeline import Pipeline
from restore.degradations.tree import build, read_pipeline
from restore.errors import unknown
from restore.names import parse_name

TABLE: dict[str, Degradation] = {
    "noise": noise.GAUSSIAN,
    "awgn": noise.BENCHMARK,
    "poisson-gaussian": noise.POISSON_GAUSSIAN,
    "blur": blur.GAUSSIAN,
    "defocus": blur.DEFOCUS,
    "motion": blur.MOTION,
    "camera-shake": camera_shake.CAMERA_SHAKE,
    "avif": codecs.AVIF,
    "downsample": resize.DOWNSAMPLE,
    "pixelate": resize.PIXELATE,
    "jpeg": codec.JPEG,
    "jpeg-diff": codec.JPEG_DIFF,
    "quantise": codec.QUANTISE,
    "clip": codec.CLIP,
    "haze": haze.HAZE,
    "fog": haze.FOG,
    "night-haze": night_haze.NIGHT_HAZE,
    "sandstorm": haze.SANDSTORM,
    "rain": precipitation.RAIN,
    "snow": precipitation.SNOW,
    "raindrop": lens_drops.RAINDROP,
    "underwater": underwater.UNDERWATER,
    "lowlight": lowlight.LOW_LIGHT,
    "lowlight-gamma": lowlight.LOW_LIGHT_GAMMA,
    "overexposure": lowlight.OVER_EXPOSURE,
    "raw-noise": raw.RAW_NOISE,
    "double-jpeg": codecs.DOUBLE_JPEG,
    "webp": codecs.WEBP,
    "banding": codecs.BANDING,
    "kernel-blur": kernel_blur.KERNEL_BLUR,
    "resize": rescale.RESIZE,
    "low-resolution": lowres.LOW_RESOLUTION,
    "scaled-poisson": recipe_noise.SCALED_POISSON,
    "channel-noise": recipe_noise.CHANNEL_NOISE,
    "scratches": scratches.SCRATCHES,
    "crease": scratches.CREASE,
    "dust": dust.DUST,
    "mildew": stains.MILDEW,
    "water-stain": stains.WATER_STAIN,
    "fade": fading.FADE,
    "halftone": halftone.HALFTONE,
    "watermark": watermark.WATERMARK,
    "mask": occlusion.MASK,
    **imagenet_c.TABLE,
    **optics.TABLE,
    **blotches.TABLE,
    **cracks.TABLE,
    **dim_light.TABLE,
    **flakes.TABLE,
    **glass_drops.TABLE,
    **local_blur.TABLE,
    **moire.TABLE,
    **photosites.TABLE,
    **print_tone.TABLE,
    **processing.TABLE,
    **scene_haze.TABLE,
    **sensor.TABLE,
    **streaks.TABLE,
    **tinted_water.TABLE,
}


def names() -> list[str]:
    """Every elementary degradation."""
    return sorted(TABLE)


def mixtures() -> list[str]:
    """Every named mixture of them."""
    return list(MIXTURES)


def degradation(spec: str | Sequence[Any]) -> Degradation | Pipeline:
    """``"noise:sigma=25"``, the name of a mixture, a pipeline's ``.toml``, or several in order, as a degradation.

    Among several, tables of the forms of a pipeline file can stand (:mod:`restore.degradations.tree`).

    Raises:
        UsageError: an unknown name or parameter, or a value out of range.
    """
    parts = [spec] if isinstance(spec, str) else list(spec)
    if not all(isinstance(part, str) for part in parts):
        return build(parts, _one)
    steps = tuple(_one(part) for part in parts)
    if len(steps) == 1:
        return steps[0]
    # What a combinator draws may differ in size between samples: then all of it is done sample by sample.
    alone = any(isinstance(step, Combinator) for step in steps)
    return Compose(steps) if alone else Pipeline(steps)


def replay(params: Params) -> Degradation | Pipeline:
    """The degradation that recorded parameters belong to."""
    if "steps" in params.values:
        return Drawn((), params.name, known=TABLE)
    if params.steps:
        return Pipeline(tuple(replay(step) for step in params.steps), params.name)
    if params.name not in TABLE:
        raise unknown("degradation", params.name[:40], TABLE)
    TABLE[params.name].check_recorded(params)
    return TABLE[params.name]


def elementary(text: str) -> Degradation:
    """``"noise:sigma=25"`` as a degradation.

    Raises:
        UsageError: an unknown name or parameter, or a value out of range.
    """
    name, values = parse_name(text)
    if name not in TABLE:
        raise unknown("degradation", name, [*TABLE, *MIXTURES])
    return TABLE[name].with_values(**values)


def _one(text: str) -> Degradation | Pipeline:
    if text.endswith(".toml"):
        return read_pipeline(text, _one)
    name, values = parse_name(text)
    if name in MIXTURES:
        return mixture(name, elementary).with_values(**values)
    return elementary(text)
