"""Draws simulated pictures for the diagnosis: a photograph or drawing, none to three faults, and a picture's life.

A sample is a function of (seed, index) alone, so features of a pool are computed once and kept, and the same pictures
can be made again to see what a treatment does to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from restore.data.drawings import draw_picture
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.degradations.families import BRINGS, FAMILIES, WIDE_FAMILIES, physical_order
from restore.degradations.params import Params
from restore.degradations.trace import elementary
from restore.degradations.truth import processed_truth
from restore.diagnosis.crops import shrink_to
from restore.image import quantise, to_grey

# What a sample starts from, and how many faults it has: the flat distribution that everything is drawn from once.
DRAWINGS = 0.1
COUNTS = (0.3, 0.48, 0.17, 0.05)
WIDE = 0.6
GREY = 0.08
LIFE = 0.65
RESIZE = 0.5
# Long sides that samples end with, and by how much at most a life shrinks.
_LONG_SIDES = (256, 960)
_LARGEST = 1400
_MOST_SHRUNK = 0.3
# A fault below this severity cannot be seen by anybody; above this one it counts as there.
_LEAST, _SURE = 0.4, 1.0
# What a resize or a codec after it may have taken away: nothing is said of it then.
_FINE = ("noise", "jpeg", "blur", "downsampled")
# Files up to this quality show their codec, those from that on do not.
_COARSE_QUALITY, _INVISIBLE_QUALITY = 60, 80


@dataclass
class Sample:
    """One simulated picture.

    Attributes:
        pixels: ``H x W x 3`` uint8, as it would lie in a file.
        truth: the same without its faults, but with the same resizing and tones; ``H x W x 3`` uint8.
        severities: per family 0 (not there) to 5, NaN where nothing can be said.
        factors: what was drawn, by name: the maker of every fault, whether there was a life, how much it shrank.
    """

    pixels: np.ndarray
    truth: np.ndarray
    severities: dict[str, float]
    factors: dict[str, float | str] = field(default_factory=dict)


def draw_sample(pictures: Sequence[np.ndarray], *, seed: int, index: int, focus: str | None = None) -> Sample:
    """The sample of that number.

    Args:
        pictures: clean photographs, ``H x W x 3`` uint8.
        focus: a family that every picture has, alone and mostly plain: more of what the flat pool has too little of.
    """
    rng = np.random.default_rng((seed, index, 17))
    g = draw.generator(draw.child_seed(seed, "diagnosis", index))
    drawn = rng.random() < DRAWINGS
    drawn = drawn and focus is None
    life = rng.random() < (LIFE if focus is None else LIFE / 2)
    shrink = float(np.exp(rng.uniform(np.log(_MOST_SHRUNK), 0))) if life and rng.random() < RESIZE else 1.0
    side = float(np.exp(rng.uniform(*np.log(_LONG_SIDES))))
    clean = (
        _drawing(rng, side, seed, index)
        if drawn
        else _photograph(pictures, rng, min(_LARGEST, side / shrink))
    )
    shrink = max(shrink, min(1.0, side / max(clean.shape[:2])))
    x = torch.from_numpy(np.array(clean)).permute(2, 0, 1)[None].float() / 255
    grey = rng.random() < GREY
    if rng.random() < 0.3:  # not every clean picture is as contrasty as another
        low, high = rng.uniform(0, 0.08), rng.uniform(0, 0.15)
        x = low + x * (1 - low - high)
    x = to_grey(x).expand_as(x) if grey else x
    families = [f for f in WIDE_FAMILIES if not (grey and f == "underwater")]
    count = 0 if drawn and rng.random() < 0.6 else int(rng.choice(len(COUNTS), p=COUNTS))
    pool = [f for f in families if f in ("noise", "jpeg")] if drawn else families
    chosen = [pool[i] for i in rng.permutation(len(pool))[:count]]
    if focus is not None:
        chosen = [focus]
    truth, severities = x, dict.fromkeys(WIDE_FAMILIES, 0.0)
    factors: dict[str, float | str] = {"drawn": float(drawn), "life": float(life)}
    for family in physical_order(chosen):
        narrow = family in FAMILIES and rng.random() >= (WIDE if focus is None else WIDE / 2)
        specs = (FAMILIES if narrow else WIDE_FAMILIES)[family]
        spec = specs[int(rng.integers(len(specs)))]
        severity = float(rng.uniform(_LEAST, 5))
        x, _ = degradation(spec)(x, severity=severity, generator=g)
        severities[family] = severity
        factors |= {f"{family}.maker": spec, f"{family}.severity": severity}
    for family in chosen:
        for other in BRINGS.get(family, ()):
            if not severities[other]:
                severities[other] = float("nan")
    if life:
        x, params = degradation(f"life-resized:scale={1 / shrink:.4f}")(x, generator=g)
        truth = processed_truth(truth, params)
        _forget(severities, shrink)
        factors |= {"shrink": shrink, **_codec(params, severities)}
    if grey:
        x = to_grey(x).expand_as(x)
    return Sample(_as_pixels(x), _as_pixels(truth), severities, factors)


def _forget(severities: dict[str, float], shrink: float) -> None:
    for family in _FINE:
        if severities[family] and (shrink < 0.9 or severities[family] < _SURE):
            severities[family] = float("nan")


def _photograph(pictures: Sequence[np.ndarray], rng: np.random.Generator, side: float) -> np.ndarray:
    """A part of a random photograph whose long side is ``side``, as somebody would crop it; mirrored half the time."""
    longest = max(max(p.shape[:2]) for p in pictures)
    side = min(side, longest)
    # Of one photograph at many sizes about one lies in this range, so that photographs count alike.
    near = [p for p in pictures if side <= max(p.shape[:2]) <= 1.35 * side]
    near = near or [p for p in pictures if max(p.shape[:2]) >= side]
    picture = near[int(rng.integers(len(near)))]
    height, width = picture.shape[:2]
    share = rng.uniform(0.7, 1.0)
    tall, wide = round(height * share), round(width * share * rng.uniform(0.8, 1.0))
    if max(tall, wide) < side:
        tall, wide = height, width
    top, left = (int(rng.integers(0, n - m + 1)) for n, m in ((height, tall), (width, wide)))
    part = picture[top : top + tall, left : left + wide]
    part = shrink_to(part, side / max(tall, wide)) if max(tall, wide) > side else part
    return part[:, ::-1] if rng.random() < 0.5 else part


def _drawing(rng: np.random.Generator, side: float, seed: int, index: int) -> np.ndarray:
    other = round(side * rng.uniform(0.55, 1.0))
    height, width = (round(side), other) if rng.random() < 0.5 else (other, round(side))
    return _as_pixels(draw_picture(draw.child_seed(seed, "drawing", index), height, width)[None])


def _codec(params: Params, severities: dict[str, float]) -> dict[str, float]:
    """The quality of a life's last coding; sets what is said of JPEG: there, not to be seen, or unknown."""
    qualities = [float(step.values["quality"]) for step in elementary(params) if "quality" in step.values]
    if not qualities:
        return {}
    quality = qualities[-1]
    if quality <= _COARSE_QUALITY:
        severities["jpeg"] = max(_SURE, severities["jpeg"])
    elif quality < _INVISIBLE_QUALITY and not severities["jpeg"]:
        severities["jpeg"] = float("nan")
    return {"quality": quality}


def _as_pixels(x: Tensor) -> np.ndarray:
    return (quantise(x)[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
