"""NIQE (Mittal, Soundararajan & Bovik, SPL 2013): how far a picture's statistics lie from those of good photographs."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.metrics.scene_statistics import (
    fit_asymmetric,
    gamma_ratio,
    grey_levels,
    neighbour_products,
    normalise,
)
from restore.resample import imresize

PARAMETERS = Path(__file__).parent / "parameters"
BLOCK = 96


def niqe(x: Tensor) -> Tensor:
    """NIQE of each image, lower is better: a fixed protocol, because every choice moves it.

    The authors' parameters; 8-bit grey by MATLAB's ``rgb2gray``; blocks of 96 px, the picture cut to a multiple of
    them; second scale by MATLAB's bicubic at one half. Published numbers differ by 0.3 and more from choice to
    choice, so compare only what one implementation measured.

    Args:
        x: images ``B x C x H x W`` in [0, 1]; values are clamped and rounded to 8 bits.

    Returns:
        B values, float64. NaN for a picture with fewer than two usable blocks: it has no covariance.
    """
    return torch.tensor([_distance(_features(grey)) for grey in grey_levels(x)], dtype=torch.float64)


def _features(grey: np.ndarray) -> np.ndarray:
    """``blocks x 36``."""
    rows, columns = (n // BLOCK for n in grey.shape)
    if not rows or not columns:
        return np.empty((0, 36))
    grey = grey[: rows * BLOCK, : columns * BLOCK]
    half = imresize(torch.from_numpy(grey)[None, None], scale=0.5)[0, 0].numpy()
    return np.hstack(
        [_scale(normalise(v, border="nearest"), side) for v, side in ((grey, BLOCK), (half, BLOCK // 2))]
    )


def _scale(values: np.ndarray, side: int) -> np.ndarray:
    rows, columns = values.shape[0] // side, values.shape[1] // side
    blocks = values.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
    shape, left, right = _fit(blocks)
    found = [shape, (left + right) / 2]
    for product in neighbour_products(blocks):
        shape, left, right = _fit(product)
        found += [shape, (right - left) * gamma_ratio(shape, 2, 1), left, right]
    return np.stack(found, 1)


def _fit(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape and both scale parameters of each block."""
    shape, left, right = fit_asymmetric(blocks.reshape(len(blocks), -1))
    width = np.sqrt(gamma_ratio(shape, 1, 3))
    return shape, left * width, right * width


def _distance(features: np.ndarray) -> float:
    whole = features[~np.isnan(features).any(1)]
    if len(whole) < 2:
        return math.nan
    mean, covariance = _parameters()
    difference = mean - np.nanmean(features, axis=0)
    joint = (covariance + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(difference @ np.linalg.pinv(joint) @ difference))


@cache
def _parameters() -> tuple[np.ndarray, np.ndarray]:
    with np.load(PARAMETERS / "niqe.npz") as file:
        return file["mean"], file["covariance"]
