"""BRISQUE (Mittal, Moorthy & Bovik, TIP 2012): a quality score learned from people's ratings of LIVE's pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.metrics.scene_statistics import (
    fit_asymmetric,
    fit_symmetric,
    gamma_ratio,
    grey_levels,
    neighbour_products,
    normalise,
)
from restore.resample import imresize

PARAMETERS = Path(__file__).parent / "parameters"


def brisque(x: Tensor) -> Tensor:
    """BRISQUE of each image, lower is better (about 0 to 100), with the authors' support vectors.

    8-bit grey by MATLAB's ``rgb2gray``; second scale by MATLAB's bicubic at one half.

    Args:
        x: images ``B x C x H x W`` in [0, 1]; values are clamped and rounded to 8 bits.

    Returns:
        B values, float64. NaN for a picture that is flat: it has no statistics.
    """
    return torch.tensor([_score(brisque_features(grey)) for grey in grey_levels(x)], dtype=torch.float64)


def brisque_features(grey: np.ndarray) -> np.ndarray:
    """The 36 features of ``H x W`` grey levels (0 to 255)."""
    half = imresize(torch.from_numpy(grey)[None, None], scale=0.5)[0, 0].numpy()
    found: list[float] = []
    for level in (grey, half):
        values = normalise(level, border="constant")
        found += [float(v) for v in fit_symmetric(values.reshape(-1))]
        for product in neighbour_products(values):
            shape, left, right = fit_asymmetric(product.reshape(-1))
            mean = (right - left) * gamma_ratio(shape, 2, 1) * np.sqrt(gamma_ratio(shape, 1, 3))
            found += [float(v) for v in (shape, mean, left**2, right**2)]
    return np.array(found)


def _score(features: np.ndarray) -> float:
    """Support vector regression with a Gaussian kernel on features scaled to [-1, 1]."""
    p = _parameters()
    scaled = 2 * (features - p["low"]) / (p["high"] - p["low"]) - 1
    distance = np.square(p["vectors"] - scaled).sum(1)
    return float(p["coefficients"] @ np.exp(-p["gamma"] * distance) - p["rho"])


@cache
def _parameters() -> dict[str, np.ndarray]:
    with np.load(PARAMETERS / "brisque.npz") as file:
        return {name: file[name].astype(np.float64) for name in file.files}
