"""Measures noise and JPEG ringing on drawings: exactly 0 on clean ones, whatever their patterns.

Measures made for photographs take the strokes of a page for noise and its white for missing evidence. On a drawing much
simpler things are known: what is flat is exactly flat, and what a codec adds ends at the borders of its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import BLOCK, Sample, grey

NAMES = ("noise on a drawing", "ringing on a drawing")
UNIT = "of 255"
_BLOCKS = 6000  # are enough
# A clean drawing has blocks that are exactly flat, a noisy one none; noise is in most blocks that hold no edge.
_FLAT, _NOISY, _QUIET = 0.03, 0.12, 0.05
_LEAST_NOISE = 0.5
# Patterns of two or of evenly many tones are less peaked than noise; rare strokes are more.
_PEAKED, _HALF_PEAKED = 2.4, (4.2, 7.0)
# Neighbours in white noise are uncorrelated, after a codec somewhat alike; in shading alike, in dither opposed.
_ALIKE, _OPPOSED = 0.7, -0.4
# A ground covers this share of a place; strokes differ from it by more than ringing does.
_PLACE, _GROUND = 64, 0.3
_STROKE, _RINGING = 40, 24
_PIXELS = 300
# The share of pixels that ring in blocks with strokes, and how many times less it is in others: either is believed.
_RATES = ((0.12, 0.3), (0.05, 0.08))


def measure_drawn_noise(sample: Sample) -> Measurement:
    """The standard deviation of noise (of 255) on a drawing, exactly 0 where there is none.

    It is believed if hardly any block of 8 x 8 is exactly flat, and if many blocks hold what noise is: hardly a value
    twice, neighbours not alike. Where a ground is black or white, noise shows on one side of it only.
    """
    blocks = _channel_blocks(sample)
    spread = np.ptp(blocks, axis=(1, 2)) if len(blocks) else np.zeros(0)
    if len(blocks) < 4 or np.mean(spread == 0) >= _FLAT:
        return _level(NAMES[0], np.zeros(1))
    open_sigma, noisy = _two_sided(blocks)
    sigma = np.concatenate([open_sigma[noisy], _one_sided(blocks, 0), _one_sided(blocks, 255)])
    if not len(sigma):
        return _level(NAMES[0], np.zeros(1))
    # Strokes pass for strong noise: the weakest level that many blocks share is meant, and few may be quieter.
    least = 1.2 * np.quantile(sigma, 0.1)
    sigma = sigma[(sigma > 0.6 * least) & (sigma < 1.6 * least)]
    quiet = np.mean(open_sigma < 0.6 * np.median(sigma)) if len(open_sigma) else 0.0
    if len(sigma) < _NOISY * len(blocks) or quiet > _QUIET:
        return _level(NAMES[0], np.zeros(1))
    return _level(NAMES[0], np.sqrt(np.maximum(sigma**2 - 1 / 12, 0)))


def measure_drawn_ringing(sample: Sample) -> Measurement:
    """The deviation (of 255) of grounds near strokes that JPEG's blocks confine, exactly 0 where they do not.

    Pixels three to six away from a stroke are compared: those whose block of 8 x 8 holds some of it with those whose
    block does not. Antialiasing, shadows and gradients know no blocks.
    """
    inside, outside = [], []
    for ground, strokes, luma in _grounds(sample):
        far, close = (cv2.dilate(strokes, np.ones((side, side), np.uint8)) > 0 for side in (13, 5))
        h, w = strokes.shape
        held = (
            strokes.reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK)
            .max((1, 3))
            .repeat(BLOCK, 0)
            .repeat(BLOCK, 1)
        )
        apart = np.abs(luma.astype(np.int16) - ground)
        # A panel of nearly the same tone is flat, a shade changes along one axis; ringing changes along both.
        across, down = np.zeros(luma.shape, bool), np.zeros(luma.shape, bool)
        across[:, 1:], down[1:] = luma[:, 1:] != luma[:, :-1], luma[1:] != luma[:-1]
        near = far & ~close & (apart <= _RINGING)
        ringing = np.where(across & down, apart, 0)
        inside.append(ringing[near & (held > 0)])
        outside.append(ringing[near & (held == 0)])
    within, beyond = (np.concatenate(part) if part else np.zeros(0) for part in (inside, outside))
    if len(within) < _PIXELS or len(beyond) < _PIXELS:
        return _level(NAMES[1], np.zeros(1))
    rate, other = np.mean(within > 0), np.mean(beyond > 0)
    if not any(rate >= least and other <= most * rate for least, most in _RATES):
        return _level(NAMES[1], np.zeros(1))
    rms = float(np.sqrt(np.mean(within.astype(float) ** 2)))
    error = 1.65 * rms / np.sqrt(len(within) / 32)  # neighbours share a block
    return Measurement(NAMES[1], rms, max(0.0, rms - error), rms + error, UNIT)


def _level(name: str, sigma: np.ndarray) -> Measurement:
    """The median of blocks' levels; 0 if too little to see."""
    value = float(np.median(sigma))
    if value < _LEAST_NOISE:
        return Measurement(name, 0.0, 0.0, 0.0, UNIT)
    low, high = np.quantile(sigma, [0.2, 0.8])
    return Measurement(name, value, float(low), float(high), UNIT)


def _channel_blocks(sample: Sample) -> np.ndarray:
    """Blocks of 8 x 8 of every channel, ``N x 8 x 8`` float32."""
    found = []
    for window in sample.windows:
        h, w = (n // BLOCK * BLOCK for n in window.shape[:2])
        part = window[:h, :w].reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK, -1)
        found.append(part.transpose(0, 2, 4, 1, 3).reshape(-1, BLOCK, BLOCK))
    blocks = np.concatenate(found)
    step = max(1, len(blocks) // _BLOCKS)
    return blocks[:: step + (step % 3 == 0)]


def _two_sided(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels of the blocks that touch neither black nor white, and which of them are a plane plus noise."""
    blocks = blocks[(blocks.min((1, 2)) > 0) & (blocks.max((1, 2)) < 255)]
    if not len(blocks):
        return np.zeros(0), np.zeros(0, bool)
    axis = (np.arange(BLOCK) - (BLOCK - 1) / 2).astype(np.float32)
    left = blocks - blocks.mean((1, 2), keepdims=True)
    for ramp in (axis[:, None], axis[None]):
        unit = np.broadcast_to(ramp, (BLOCK, BLOCK)) / np.sqrt(BLOCK * np.sum(axis**2))
        left = left - (left * unit).sum((1, 2), keepdims=True) * unit
    sigma = np.sqrt((left**2).sum((1, 2)) / (BLOCK**2 - 3))
    most = _most_frequent(blocks)
    expected = 1 / (np.maximum(sigma, 0.4) * np.sqrt(2 * np.pi))
    fits = (sigma > 0.35) & (most <= 1.6 * expected + 0.1) & _is_noise(left)
    return sigma, fits & (_peakedness(left[fits]) > _PEAKED)


def _one_sided(blocks: np.ndarray, end: int) -> np.ndarray:
    """Levels of the blocks whose ground is near black or white: one half of the noise is cut off there."""
    apart = np.abs(blocks - end)
    off = (apart > 0).mean((1, 2))
    apart = apart[(off > 0.2) & (off < 0.97) & (apart.max((1, 2)) < 255)]
    if not len(apart):
        return np.zeros(0)
    beyond = np.maximum(apart - np.median(apart, axis=(1, 2), keepdims=True), 0)
    sigma = np.sqrt(2 * (beyond**2).mean((1, 2)))
    # What is not beyond the median counts as all different.
    values = np.where(beyond > 0, beyond, -1 - np.arange(BLOCK**2).reshape(BLOCK, BLOCK))
    expected = 1 / (np.maximum(sigma, 0.4) * np.sqrt(2 * np.pi))
    fits = (sigma > 0.35) & (_most_frequent(values) <= 2 * expected + 0.06)
    fits &= _is_noise(beyond - beyond.mean((1, 2), keepdims=True))
    sigma, beyond = sigma[fits], beyond[fits]
    low, high = _HALF_PEAKED
    if not low < _peakedness(beyond) < high:
        return np.zeros(0)
    # Over all blocks no value stands out, as the tone of strokes does.
    counts = np.bincount(beyond[beyond > 0].astype(np.int64), minlength=256)
    return sigma if counts.max() <= (2.4 / np.median(sigma) + 0.02) * counts.sum() else np.zeros(0)


def _peakedness(left: np.ndarray) -> float:
    """The fourth moment over the square of the second, mean over blocks: 3 for noise, 6 for its half beyond 0."""
    if not len(left):
        return 0.0
    power = np.maximum((left**2).mean((1, 2)), 1e-6)
    return float(np.mean((left**4).mean((1, 2)) / power**2))


def _most_frequent(blocks: np.ndarray) -> np.ndarray:
    """The share of a block's most frequent value."""
    ordered = np.sort(blocks.reshape(len(blocks), -1), axis=1)
    run, longest = np.ones(len(ordered)), np.ones(len(ordered))
    for k in range(1, ordered.shape[1]):
        run = np.where(ordered[:, k] == ordered[:, k - 1], run + 1, 1)
        longest = np.maximum(longest, run)
    return longest / ordered.shape[1]


def _is_noise(left: np.ndarray) -> np.ndarray:
    """Whether neighbours in a block are neither alike nor opposed."""
    power = np.maximum((left**2).mean((1, 2)), 1e-6)
    fits = np.ones(len(left), bool)
    for a, b in ((left[:, 1:], left[:, :-1]), (left[:, :, 1:], left[:, :, :-1])):
        likeness = (a * b).mean((1, 2)) / power
        fits &= (likeness < _ALIKE) & (likeness > _OPPOSED)
    return fits


def _grounds(sample: Sample) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Places of 64 x 64 with a ground: its level, the strokes on it as 0 and 255, and luma, all on the 8 x 8 grid."""
    for window in sample.windows:
        luma = np.rint(grey(window)).astype(np.uint8)
        for top in range(0, luma.shape[0] - _PLACE + 1, _PLACE):
            for left in range(0, luma.shape[1] - _PLACE + 1, _PLACE):
                place = luma[top : top + _PLACE, left : left + _PLACE]
                counts = np.bincount(place.ravel(), minlength=256)
                ground = int(counts.argmax())
                if counts[ground] < _GROUND * place.size:
                    continue
                strokes = (cv2.absdiff(place, np.full_like(place, ground)) > _STROKE).astype(np.uint8) * 255
                if strokes.any():
                    yield ground, strokes, place
