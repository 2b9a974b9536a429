"""Measures by how much a picture was enlarged, from the frequencies that it lacks."""

from __future__ import annotations

import numpy as np

from restore.diagnosis.calibration import load_head
from restore.diagnosis.measure_blur import blur_statistics
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample
from restore.diagnosis.spectrum import Spectrum, take_spectrum

NAMES = ("enlargement",)


def measure_scale(sample: Sample, spectrum: Spectrum | None = None) -> Measurement:
    """The factor, 1 (none) to 4, of an enlargement by interpolation."""
    statistics = blur_statistics(sample, spectrum or take_spectrum(sample))
    value, lower, upper = (max(1.0, float(np.exp(v))) for v in load_head("enlargement")(statistics))
    return Measurement("enlargement", value, lower, upper, "times")
