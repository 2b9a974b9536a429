"""Procedural clean drawings: pages, screens, charts, maps, patterns, cartoons; a function of (seed, height, width)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from restore.data import drawn_pages, drawn_patterns, drawn_scenes
from restore.errors import UsageError, unknown

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
KINDS: dict[str, Draw] = {**drawn_pages.KINDS, **drawn_scenes.KINDS, **drawn_patterns.KINDS}
_SMALLEST = 64


def draw_picture(seed: int, height: int, width: int, *, kind: str | None = None) -> Tensor:
    """A clean drawn picture, ``3 x height x width`` float32 in [0, 1], as 8 bits hold it.

    Nothing is wrong with it: no noise, no codec, no blur but the antialiasing of its edges. A part is drawn at another
    size and resized, as pictures on the web are. The same seed, size and kind give the same pixels on every machine
    with the same versions of Pillow and OpenCV.

    Args:
        kind: one of ``KINDS``; None draws it.

    Raises:
        UsageError: an unknown kind, or a side under 64.
    """
    if min(height, width) < _SMALLEST:
        raise UsageError(f"a drawing has sides of {_SMALLEST} or more, not {height} x {width}")
    names = list(KINDS)
    chosen = names[int(np.random.default_rng(int(seed)).integers(len(names)))] if kind is None else kind
    if chosen not in KINDS:
        raise unknown("kind of drawing", chosen, names)
    rng = np.random.default_rng((int(seed), names.index(chosen)))
    pixels = _resized(KINDS[chosen], rng, height, width)
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float().div(255)


def _resized(draw: Draw, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Mostly drawn as large as wanted; else larger and shrunk, or smaller and enlarged."""
    fate = rng.random()
    if fate < 0.7:
        return draw(rng, height, width)
    scale = float(rng.uniform(1.1, 2) if fate < 0.85 else rng.uniform(0.6, 0.95))
    h, w = max(_SMALLEST, round(height * scale)), max(_SMALLEST, round(width * scale))
    kernels = [cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]
    if scale < 1:
        kernels = [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC]
    kernel = kernels[int(rng.integers(len(kernels)))]
    return np.asarray(cv2.resize(draw(rng, h, w), (width, height), interpolation=kernel))
