"""What was found on a picture, thing by thing: where each lies, and what tells whether filling it is worth it.

Filling a thing that covers little, or one that is no damage at all, does more harm than leaving it. What tells is how
sure the finder was, how far the filling is from what was there, and how well texture like that around it can be filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from restore.models.worth import FEATURES

_SMALL = 1e-5
# Neighbourhoods whose texture is told, and how far around a pixel it is averaged.
_TEXTURES, _AROUND = (3, 5, 9), 15
# How near to black or white a pixel must be to count as burnt out.
_BURNT = 0.03


@dataclass(frozen=True)
class Things:
    """Of one picture: ``named``, ``h x w``, is 0 or the number (from 1) of the thing a pixel is filled for, its rim
    included; ``features``, ``N x FEATURES``."""

    named: np.ndarray
    features: Tensor

    def __len__(self) -> int:
        return len(self.features)


def names_of(likely: np.ndarray, hole: np.ndarray, *, sure: float) -> tuple[np.ndarray, int]:
    """Things are where the finder is ``sure``, touching pixels (corners too) one thing; every other pixel of the hole
    belongs to the nearest."""
    named, count = ndimage.label(likely > sure, structure=np.ones((3, 3)))
    if count:
        nearest = ndimage.distance_transform_edt(named == 0, return_distances=False, return_indices=True)
        named = np.where(hole > 0, named[tuple(nearest)], 0)
    return named, count


def things_on(x: Tensor, filled: Tensor, likely: Tensor, hole: Tensor, *, sure: float) -> Things:
    """Names and tells what lies on one picture.

    Args:
        x, filled: the picture and it filled, ``C x h x w``.
        likely: how likely every pixel is covered, ``h x w``.
        hole: what was filled, ``h x w`` of zeros and ones: wherever it is surely covered, and a rim.
        sure: above this likelihood it is surely covered.
    """
    found, told = likely.cpu().numpy(), hole.cpu().numpy()
    named, count = names_of(found, told, sure=sure)
    if not count:
        return Things(named, torch.zeros(0, FEATURES))
    every = np.arange(1, count + 1)
    before, apart = x.cpu().numpy(), (x - filled).cpu().numpy()
    grey, after = before.mean(0), filled.mean(0).cpu().numpy()
    lighter = apart.mean(0)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.mean(values, named, every))

    def spread(values: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.variance(values, named, every))

    def log(values: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(values, 0) + _SMALL)

    area = np.bincount(named.ravel(), minlength=count + 1)[1:].astype(float)
    deep = ndimage.maximum(ndimage.distance_transform_edt(told > 0), named, every)
    signed = mean(lighter)
    rows = [
        log(mean((apart**2).mean(0))),
        *(log(mean(texture)) for texture in _textures(grey, told)),
        log(area),
        log(deep),
        log(1 - ndimage.maximum(found, named, every)),
        log(1 - mean(found)),
        log(np.abs(signed)),
        np.sign(signed),
        5 * signed,
        log(mean(((apart - lighter) ** 2).mean(0))),
        log(spread(grey)),
        log(spread(after)),
        log(spread(lighter)),
        mean((grey > 1 - _BURNT).astype(float)),
        mean((grey < _BURNT).astype(float)),
    ]
    return Things(named, torch.from_numpy(np.stack(rows, 1)).float())


def _textures(grey: np.ndarray, hole: np.ndarray) -> list[np.ndarray]:
    """How much the known pixels around every pixel differ from the means of their own neighbourhoods, squared."""
    known = (hole == 0).astype(grey.dtype)

    def box(values: np.ndarray, side: int) -> np.ndarray:
        return ndimage.uniform_filter(values, side, mode="nearest")

    made = []
    for side in _TEXTURES:
        mean = box(grey * known, side) / (box(known, side) + 1e-3)
        made.append(box((grey - mean) ** 2 * known, _AROUND) / (box(known, _AROUND) + 1e-3))
    return made
