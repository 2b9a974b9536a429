"""Measures how wide a blur is, how far it is stretched in one direction, and which."""

from __future__ import annotations

import numpy as np

from restore.diagnosis.calibration import load_head
from restore.diagnosis.edges import edge_statistics
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import Sample
from restore.diagnosis.spectrum import ANGLES, Spectrum, take_spectrum

NAMES = ("blur width", "blur length", "blur direction")
WIDTH_OFFSET, LENGTH_OFFSET = 0.3, 2.0  # inside the logarithm that heads give


def measure_blur(sample: Sample, spectrum: Spectrum | None = None) -> dict[str, Measurement]:
    """By name (:data:`NAMES`).

    ``blur width``: the deviation of the point spread function, px (mean over both axes; a disc of radius r has r / 2);
    ``blur length``: of the straight line that is stretched as it is, px; 0 for round ones;
    ``blur direction``: of that line, degrees from the x axis towards the top, 0 to 180; all of them where there is no
    length.
    """
    spectrum = spectrum or take_spectrum(sample)
    statistics = blur_statistics(sample, spectrum)
    path = spectrum.path
    found = {}
    for name, offset in (("blur width", WIDTH_OFFSET), ("blur length", LENGTH_OFFSET)):
        value, lower, upper = (max(0.0, float(np.exp(v)) - offset) for v in load_head(name)(statistics))
        found[name] = Measurement(name, value, lower, upper, "px")
    # Rows count downwards.
    direction = (-path * 180 / ANGLES) % 180
    # The longer for its width, the better known; half a turn is all there is.
    doubt = min(90.0, 180 / ANGLES + 60 / max(found["blur length"].lower, 0.5))
    found["blur direction"] = Measurement(
        "blur direction", direction, direction - doubt, direction + doubt, "degrees"
    )
    return found


def blur_statistics(sample: Sample, spectrum: Spectrum) -> np.ndarray:
    """What heads are given: the spectrum, and the width of edges by their direction from the path."""
    return np.concatenate([spectrum.statistics(), edge_statistics(sample, spectrum.path / ANGLES)])
