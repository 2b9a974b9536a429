"""A picture's life after the scene: processed in the camera, edited, made smaller, coded, and coded again.

``life`` keeps the size and the tones, so that the clean picture stays the truth of a pair; ``life-resized`` does all
of it, and :func:`restore.degradations.truth.processed_truth` makes the picture that a clean one becomes beside it.
Shares and ranges are what is usual on the web [ours].
"""

from __future__ import annotations

from collections.abc import Mapping

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.mixture import Draws, Find, Recipe
from restore.names import format_name

# With antialias, as services and editors have them; one in eight without.
_KERNELS = ("smooth-bicubic", "lanczos3", "area", "smooth-bilinear", "bicubic", "bilinear")
_SHARES = (3.0, 2.0, 1.5, 1.5, 0.6, 0.6)
_PROCESSING = ("camera-denoise", "sharpen")
_CODECS = ("jpeg", "webp")


def same_size_life(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Nothing in the share ``untouched``; else a little denoising and sharpening, and a codec once or twice."""
    if d.chance(values["untouched"]):
        return []
    steps = [*_processed(d, 0.3, 0.4), *_coded(d, 40, 98)]
    if d.chance(0.25):
        steps += _coded(d, 40, 98)
    return [find(text) for text in steps]


def resized_life(d: Draws, find: Find, values: Mapping[str, float]) -> list[Degradation]:
    """Camera, its JPEG, tones, another size, sharpening, a codec; one in four sent on and coded again."""
    steps = _processed(d, 0.5, 0.5)
    if d.chance(0.6):
        steps.append(_tones(d))
    if d.chance(0.6):
        steps += _jpeg(d, 85, 98)
    factor = 1 / values["scale"] if values["scale"] else _factor(d, values["smallest"])
    if factor < 1:
        steps.append(_smaller(d, factor))
        if d.chance(0.35):
            steps.append(_sharpened(d))
    steps += _coded(d, 60, 92) if d.chance(0.75) else _coded(d, 40, 98)
    if d.chance(0.25):  # sent on, by a service that may shrink it again
        if not values["scale"] and d.chance(0.4):
            steps.append(_smaller(d, d.uniform(0.6, 1.0)))
        steps += _coded(d, 60, 92)
    return [find(text) for text in steps]


def _smaller(d: Draws, factor: float) -> str:
    return format_name("resize", {"factor": factor, "mode": d.one(_KERNELS, _SHARES)})


def _factor(d: Draws, smallest: float) -> float:
    """What the sides are multiplied with: seven in ten from 0.2 to 0.6, two from there to 1, one stays."""
    lot = d.uniform(0.0, 1.0)
    if lot < 0.1:
        return 1.0
    return d.uniform(max(0.6, smallest), 1.0) if lot < 0.3 else d.uniform(smallest, max(0.6, smallest))


def _processed(d: Draws, denoised: float, sharpened: float) -> list[str]:
    steps = []
    if d.chance(denoised):
        steps.append(
            format_name("camera-denoise", {"strength": d.uniform(2.0, 8.0), "chroma": d.uniform(0.0, 2.0)})
        )
    return [*steps, _sharpened(d)] if d.chance(sharpened) else steps


def _sharpened(d: Draws) -> str:
    return format_name("sharpen", {"radius": d.uniform(0.5, 1.5), "amount": d.uniform(0.3, 1.0)})


def _tones(d: Draws) -> str:
    return format_name(
        "tone-curve",
        {
            "exposure": d.uniform(-0.5, 0.5),
            "contrast": d.uniform(-0.2, 0.5),
            "saturation": d.uniform(0.8, 1.3),
        },
    )


def _coded(d: Draws, low: int, high: int) -> list[str]:
    """JPEG, or one time in eight WebP."""
    return [f"webp:quality={d.whole(low, high)}"] if d.chance(0.125) else _jpeg(d, low, high)


def _jpeg(d: Draws, low: int, high: int) -> list[str]:
    return [f"jpeg:quality={d.whole(low, high)},subsampling={d.one(('420', '444'), (4, 1))}"]


LIVES: dict[str, Recipe] = {
    "life": Recipe(
        "processed and coded as pictures of the web are, half of them not at all; size and tones stay",
        same_size_life,
        (*_PROCESSING, *_CODECS),
        {"untouched": Knob("share of pictures that stay as they are", legal=(0.0, 1.0), default=0.5)},
    ),
    "life-resized": Recipe(
        "processed, toned, made smaller and coded, once or twice, as pictures of the web are",
        resized_life,
        (*_PROCESSING, "tone-curve", "resize", *_CODECS),
        {
            "scale": Knob("factor by which each side shrinks; 0: drawn", legal=(0.0, 64.0), default=0.0),
            "smallest": Knob("least factor of each side where it is drawn", legal=(0.02, 1.0), default=0.2),
        },
        keeps_size=False,
    ),
}
