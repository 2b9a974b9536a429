"""How many pictures would settle a question that the pictures at hand do not."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm


def pictures_needed(
    differences: np.ndarray, *, margin: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Pictures needed to show that the mean difference lies on the side of ``-margin`` where it was found.

    For one cell a picture's difference is -1, 0 or 1, and this is the sample size of McNemar's test
    ``n = (z_{1-alpha/2} sqrt(psi) + z_power sqrt(psi - d^2))^2 / d^2`` with churn psi and gain d (Connor 1987);
    with several cells a picture, psi is the mean square of its weighted sum, so that cells of one picture are not
    counted as independent. The exact test needs slightly more.

    Args:
        differences: one number per source picture, found on the pictures at hand.
        margin: 0 asks whether the mean is above 0; 0.005 whether it is above -0.005.

    Returns:
        None where the mean lies on the margin: no number of pictures is known to settle it.
    """
    values = np.asarray(differences, dtype=np.float64) + margin
    d = float(values.mean()) if len(values) else 0.0
    if abs(d) < 1e-9:
        return None
    centre = values - margin  # the spread is that of the differences, wherever the margin lies
    square = float((centre**2).mean()) if margin == 0 else float(centre.var())
    spread = float(centre.var())
    z = norm.ppf(1 - alpha / 2) * math.sqrt(square) + norm.ppf(power) * math.sqrt(spread)
    return max(1, math.ceil(z**2 / d**2))
