"""Measures whether a picture is drawn (page, screen, chart, line art, pattern) or photographed, and says why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from restore.diagnosis.drawn_features import NAMES, measure_features
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample, take_sample
from restore.tiling import Read

NAME = "drawn"
FILE = Path(__file__).with_name("drawn.json")
# Features further from the mean than this many deviations are taken as that far: nothing is extrapolated.
FAR = 4.0
# Smaller pictures show too little.
_SMALLEST = 24
# So few colours over so wide a range are no photograph; nor are windows that are all flat or graded exactly.
_FEW_COLOURS, _WIDE = 8, 64
_CERTAIN = 12.0  # logit


@dataclass(frozen=True)
class Drawn:
    """Whether a picture is drawn.

    Args:
        probability: of being drawn, with the least and most that several fits say.
        is_drawn: whether it is taken for drawn, at a threshold that hardly any photograph reaches.
        reasons: what was measured, in words.
    """

    probability: Measurement
    is_drawn: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Classifier:
    """Perceptrons of one hidden layer beside a linear part, fitted to the same examples from several starts.

    Args:
        mean, scale: of the ``n`` features.
        hidden, hidden_bias: ``k x m x n`` and ``k x m``.
        out, out_bias: ``k x (m + n)`` and ``k``.
        threshold: logit from which on a picture is taken for drawn.
    """

    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: np.ndarray
    threshold: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """``... x k`` from ``... x n`` features."""
        x = np.clip((features - self.mean) / self.scale, -FAR, FAR)
        units = np.tanh(np.einsum("kmn,...n->...km", self.hidden, x) + self.hidden_bias)
        m = self.hidden.shape[1]
        linear = np.einsum("kn,...n->...k", self.out[:, m:], x)
        return np.asarray(np.einsum("km,...km->...k", self.out[:, :m], units) + linear + self.out_bias)


def read_drawn(read: Read, height: int, width: int) -> Drawn:
    """:func:`measure_drawn` of a picture that is read by windows; the same effort however large it is.

    Args:
        read: ``read(top, bottom, left, right)`` gives that part, ``1 x C x h x w`` in [0, 1].
    """
    return measure_drawn(take_sample(read, height, width))


def measure_drawn(sample: Sample) -> Drawn:
    """Whether the picture is drawn: pages, screens, charts, patterns, pixel art, cartoons, gradients, flat colour.

    Pictures with both count as what covers more. A photograph of a drawing is a photograph; so is one that was
    posterised, coded very coarsely, clipped, enlarged or smoothed. What is drawn with the means of photographs (noise,
    painted texture, rendered light) is not recognised for sure.
    """
    if min(sample.height, sample.width) < _SMALLEST:
        return Drawn(_probability(np.array([-_CERTAIN, _CERTAIN])), False, ("too small to tell",))
    features = measure_features(sample)
    values = dict(zip(NAMES, features.tolist(), strict=True))
    classifier = load_classifier()
    logits = classifier.logits(features)
    if _is_certain(sample, values):
        logits = np.maximum(logits, _CERTAIN)
    is_drawn = bool(logits.mean() > classifier.threshold)
    return Drawn(_probability(logits), is_drawn, _reasons(values, is_drawn))


@cache
def load_classifier() -> Classifier:
    """The numbers of ``drawn.json`` (``python -m restore.train.fit_drawn`` fits them)."""
    record = json.loads(FILE.read_text())["classifier"]
    arrays = {key: np.array(value) for key, value in record.items()}
    return Classifier(
        mean=arrays["mean"],
        scale=arrays["scale"],
        hidden=arrays["hidden"],
        hidden_bias=arrays["hidden_bias"],
        out=arrays["out"],
        out_bias=arrays["out_bias"],
        threshold=float(record["threshold"]),
    )


def _is_certain(sample: Sample, values: dict[str, float]) -> bool:
    """Whether no photograph can be like this: few colours far apart, one colour, or exact gradients only."""
    low = min(float(w.min()) for w in sample.windows)
    high = max(float(w.max()) for w in sample.windows)
    few = _colours(values) <= _FEW_COLOURS and high - low >= _WIDE
    one = values["flat"] > 0.995 and _colours(values) <= 4
    return few or one or values["graded windows"] == 1.0


def _colours(values: dict[str, float]) -> int:
    return round(2 ** (16 * values["distinct colours"]))


def _probability(logits: np.ndarray) -> Measurement:
    value, low, high = (float(1 / (1 + np.exp(-v))) for v in (logits.mean(), logits.min(), logits.max()))
    return Measurement(NAME, value, low, high, "probability")


def _reasons(values: dict[str, float], is_drawn: bool) -> tuple[str, ...]:
    """The measures that speak most plainly, in words."""

    def percent(name: str) -> str:
        return f"{100 * values[name]:.0f} %"

    colours = _colours(values)
    sides = "edges with one side flat within 2"
    found = []
    if is_drawn:
        if values["flat"] >= 0.2:
            found.append(f"{percent('flat')} of the area is exactly flat")
        if values["graded windows"] == 1.0:
            found.append("it is an exact gradient or flat everywhere")
        if colours <= 4096:
            found.append(f"{colours} colours" if colours > 1 else "one colour")
        if values["repeated patches"] >= 0.1:
            found.append(f"{percent('repeated patches')} of what has contrast occurs again exactly")
        if values["edges"] > 0 and values[sides] >= 0.3:
            found.append(f"{percent(sides)} of the edges have a flat side")
        if values["contrast blocks"] > 0.02 and values["two tones"] >= 0.85:
            found.append(f"{percent('two tones')} of the pixels at edges have one of two tones")
        return tuple(found) or ("flatness, palette, edges and repetition together",)
    if values["flat unclipped"] < 0.1:
        found.append(f"{percent('flat unclipped')} of the area between black and white is exactly flat")
    found.append(f"{colours} colours or more" if colours > 1 else "one colour")
    found.append(f"{percent('repeated patches')} of what has contrast occurs again exactly")
    return tuple(found)
