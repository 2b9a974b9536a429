"""Everything that is known of one picture before anything is done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from restore.diagnosis.crops import cut_crops
from restore.diagnosis.measure import Tables, as_features, measure_sample
from restore.diagnosis.measure_drawn import Drawn, measure_drawn
from restore.diagnosis.measure_drawn_faults import measure_drawn_noise, measure_drawn_ringing
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import take_sample
from restore.image import array_to_tensor
from restore.models.degradation_classifier import DegradationClassifier
from restore.models.registry import load_shipped
from restore.models.treatment_gain import TreatmentGain

CLASSIFIER, GAIN = "degradation-classifier", "treatment-gain"


@dataclass(frozen=True)
class Evidence:
    """Measured and learned.

    Attributes:
        measurements: by name, see :func:`restore.diagnosis.measure.measure_picture`.
        drawn: whether it is a drawing rather than a photograph, and why; of drawings two more measurements are there.
        probabilities: per family that it is there, 0 to 1.
        severities: per family, 0 to 5, where it is there.
        gains: per treatment the expected gain in dB.
        harms: per treatment the probability that the result is worse than the picture by more than 0.1 dB.
    """

    measurements: Mapping[str, Measurement]
    drawn: Drawn
    probabilities: Mapping[str, float]
    severities: Mapping[str, float]
    gains: Mapping[str, float]
    harms: Mapping[str, float]


@cache
def shipped_classifier() -> tuple[DegradationClassifier, tuple[str, ...], str]:
    """The shipped classifier on the CPU, its families, and its SHA-256."""
    net, header = load_shipped(CLASSIFIER)
    assert isinstance(net, DegradationClassifier)
    return net.to(memory_format=torch.channels_last), tuple(header["conditions"]), str(header["sha256"])


@cache
def shipped_gain() -> tuple[TreatmentGain, tuple[str, ...], str]:
    """The shipped predictor of gains on the CPU, its treatments, and its SHA-256."""
    net, header = load_shipped(GAIN)
    assert isinstance(net, TreatmentGain)
    return net, tuple(header["conditions"]), str(header["sha256"])


@torch.no_grad()
def gather_evidence(pixels: np.ndarray, *, tables: Tables | None = None) -> Evidence:
    """Measures and classifies one picture; no pixel is changed.

    Args:
        pixels: ``H x W x C``, uint8, uint16 or float32 in [0, 1]; C 1 or 3.
        tables: quantisation tables of the JPEG file it comes from.
    """

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return array_to_tensor(pixels[top:bottom, left:right])

    sample = take_sample(read, *pixels.shape[:2])
    measured = measure_sample(sample, tables)
    drawn = measure_drawn(sample)
    if drawn.is_drawn:
        measured |= {m.name: m for m in (measure_drawn_noise(sample), measure_drawn_ringing(sample))}
    # What networks are told is what the pixels alone say: a file's tables are certain, and count by themselves.
    told = as_features({**measured, "JPEG quality": measured["JPEG quality in pixels"]})
    net, families, _ = shipped_classifier()
    out = net(cut_crops(as_8_bits(pixels)), told[None])[0]
    logits, severities = out.chunk(2)
    predictor, treatments, _ = shipped_gain()
    gains, harms = predictor(gain_features(told, out)[None])
    return Evidence(
        measured,
        drawn,
        dict(zip(families, logits.sigmoid().tolist(), strict=True)),
        dict(zip(families, severities.clamp(0, 5).tolist(), strict=True)),
        dict(zip(treatments, gains[0].tolist(), strict=True)),
        dict(zip(treatments, harms[0].sigmoid().tolist(), strict=True)),
    )


def gain_features(told: Tensor, classified: Tensor) -> Tensor:
    """What the predictor of gains sees: measurements, logits and severities; the last axis is the features'."""
    return torch.cat([told, classified.clamp(-12, 12)], -1)


def as_8_bits(pixels: np.ndarray) -> np.ndarray:
    """``H x W x C`` as uint8."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
