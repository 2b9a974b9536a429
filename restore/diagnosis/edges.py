"""How wide a picture's edges are, by direction: by how much more a known blur weakens them.

Of a step that a Gaussian of deviation s has blurred, another of deviation s0 weakens the gradient by the factor
sqrt(1 + (s0 / s)^2) (Zhuo and Sim, "Defocus map estimation from a single image", 2011; Hu and de Haan, "Low cost
robust blur estimator", 2006). Motion widens the edges across its path only; sharp edges of a picture that is out of
focus in places stay in the quantiles.
"""

from __future__ import annotations

import cv2
import numpy as np

from restore.diagnosis.sample import Sample

DIRECTIONS = 8  # over half a turn
# Before anything: against noise and single pixels. Then blurred again by two sizes, for narrow and for wide edges.
_FIRST, _AGAIN = 0.7, (1.2, 2.8)
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Edges are local maxima of the gradient among its largest tenth, and larger than this (of 255, per pixel).
_LARGEST, _LEAST, _MAXIMUM = 0.9, 2.0, 0.9
_FEW = 12  # edges of one direction, below which those of all speak for it
_MOST = 20000  # edges that are sorted


def edge_statistics(sample: Sample, path: float) -> np.ndarray:
    """Log ratios of gradients before and after a further blur: quantiles over all edges by its size, then the median
    by direction, beginning with the gradients that point along ``path`` (in half turns); last, how many edges there
    are."""
    ratios, angles, pixels = [], [], 0
    for y in sample.luma:
        if min(y.shape) < 16:
            continue
        ratio, angle = _edges(y)
        ratios.append(ratio)
        angles.append(angle)
        pixels += y.size
    logs = np.concatenate(ratios, 1) if ratios else np.zeros((len(_AGAIN), 0))
    turn = np.concatenate(angles) if angles else np.zeros(0)
    if logs.shape[1] < _FEW:
        return np.zeros(len(_AGAIN) * (len(_SHARES) + DIRECTIONS) + 1)
    step = max(1, logs.shape[1] // _MOST)
    share = logs.shape[1] / pixels
    logs, turn = logs[:, ::step], turn[::step]
    place = np.rint((turn - path) * DIRECTIONS).astype(int) % DIRECTIONS
    found = [np.quantile(line, _SHARES) for line in logs]
    for line, usual in zip(logs, found[:], strict=True):
        parts = [line[place == k] for k in range(DIRECTIONS)]
        found.append(np.array([np.median(p) if len(p) >= _FEW else usual[2] for p in parts]))
    return np.concatenate([*found, [np.log(share + 1e-3)]])


def _edges(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios at the edges, a row for every further blur, and the directions of their gradients in half turns."""
    smooth = cv2.GaussianBlur(y, (0, 0), _FIRST)
    gx, gy = (cv2.Sobel(smooth, cv2.CV_32F, *d, ksize=3, scale=0.125) for d in ((1, 0), (0, 1)))
    size = cv2.magnitude(gx, gy)
    top = cv2.dilate(size, np.ones((3, 3), np.uint8))
    least = max(_LEAST, float(np.quantile(size[::3, ::3], _LARGEST)))
    place = np.flatnonzero((size >= _MAXIMUM * top) & (size > least))
    before = size.ravel()[place]
    ratios = []
    for sigma in _AGAIN:
        again = cv2.GaussianBlur(smooth, (0, 0), sigma)
        bx, by = (cv2.Sobel(again, cv2.CV_32F, *d, ksize=3, scale=0.125) for d in ((1, 0), (0, 1)))
        after = cv2.magnitude(bx, by).ravel()[place]
        ratios.append(np.log(before / np.maximum(after, 0.05 * before)))
    angle = np.arctan2(gy.ravel()[place], gx.ravel()[place]) / np.pi
    return np.stack(ratios), angle
