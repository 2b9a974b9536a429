"""Statistics of natural scenes: normalised luminance and the generalised Gaussians that describe it.

Shared by BRISQUE (Mittal, Moorthy & Bovik, TIP 2012) and NIQE (Mittal, Soundararajan & Bovik, SPL 2013).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from restore.image import check_image

# MATLAB's rgb2gray.
GREY = (0.2989, 0.5870, 0.1140)
# Each pixel times its neighbour to the right, below, and on both diagonals.
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


def grey_levels(x: Tensor) -> np.ndarray:
    """``B x H x W`` float64: the 8-bit grey levels (0 to 255) a file would hold, as the published measures see them."""
    levels = torch.floor(check_image(x).detach().double().cpu().clamp(0, 1) * 255 + 0.5)
    if levels.shape[1] == 3:
        levels = torch.floor((levels * levels.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True) + 0.5)
    return levels[:, 0].numpy()


def normalise(grey: np.ndarray, *, border: str) -> np.ndarray:
    """``(v - mean) / (spread + 1)`` in a Gaussian window of 7 x 7, standard deviation 7/6, of ``H x W`` grey levels.

    Args:
        border: ``nearest`` repeats the edge (NIQE), ``constant`` is black beyond it (BRISQUE).
    """
    from scipy.ndimage import correlate1d

    place = np.arange(-3, 4)
    window = np.exp(-(place**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def blur(values: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(values, window, axis=0, mode=border), window, axis=1, mode=border)

    mean = blur(grey)
    spread = np.sqrt(np.abs(blur(grey * grey) - mean * mean))
    return (grey - mean) / (spread + 1)


def neighbour_products(values: np.ndarray) -> list[np.ndarray]:
    """Products with the four neighbours of the last two axes, which close to a ring."""
    return [values * np.roll(values, shift, axis=(-2, -1)) for shift in SHIFTS]


def fit_symmetric(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape and variance of the generalised Gaussian of the last axis, by moments."""
    variance = np.square(values).mean(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.square(np.abs(values).mean(-1)) / variance
    return _shape_of(ratio), variance


def fit_asymmetric(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape, left and right standard deviation of the asymmetric generalised Gaussian of the last axis.

    NaN where one side is empty: nothing can be said of a flat place.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = (
            np.sqrt(np.where(side, np.square(values), 0).sum(-1) / side.sum(-1))
            for side in (values < 0, values > 0)
        )
        skew = left / right
        ratio = np.square(np.abs(values).mean(-1)) / np.square(values).mean(-1)
        ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    return _shape_of(ratio), left, right


def gamma_ratio(shape: np.ndarray, a: float, b: float) -> np.ndarray:
    """Gamma(a / shape) / Gamma(b / shape)."""
    from scipy.special import gammaln

    return np.exp(gammaln(a / shape) - gammaln(b / shape))


def _shape_of(ratio: np.ndarray) -> np.ndarray:
    """The shape (0.2 to 10 in steps of 0.001) whose squared mean magnitude over variance is nearest to ``ratio``."""
    shapes, ratios = _table()
    known = np.isfinite(ratio)
    above = np.searchsorted(ratios, np.where(known, ratio, ratios[0])).clip(1, len(ratios) - 1)
    nearer = np.abs(ratios[above - 1] - ratio) <= np.abs(ratios[above] - ratio)
    return np.where(known, shapes[np.where(nearer, above - 1, above)], np.nan)


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import gammaln

    shapes = np.arange(0.2, 10.001, 0.001)
    ratios = np.exp(2 * gammaln(2 / shapes) - gammaln(1 / shapes) - gammaln(3 / shapes))
    return shapes, ratios
