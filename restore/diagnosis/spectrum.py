"""The mean power spectrum of a picture's windows, and what blur and enlargement leave in it as numbers.

Blur takes high frequencies away, motion those across its path; of a straight motion the derivative along the path
correlates negatively with itself at its length (Yitzhaky and Kopeika, "Identification of blur parameters from motion
blurred images", 1997). An enlargement leaves nothing above the frequencies that the smaller picture could hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import scipy.fft

from restore.diagnosis.sample import Sample

SIDE = 128
_HOP = 96
ANGLES = 24  # directions over half a turn
LAGS = 56  # pixels
_SOME = (1, 2, 3, 4, 6, 8, 12, 16, 24)
_BANDS = 16
_RINGS = ((0.04, 0.08), (0.08, 0.14), (0.14, 0.22), (0.22, 0.32), (0.32, 0.44))
# The power that rounding to 8 bits leaves, per coefficient of a Hann window of this side.
_ROUNDING = 1 / 12


@dataclass(frozen=True)
class Spectrum:
    """What is known of a picture's spectrum.

    Args:
        across, down: log power in 16 bands from 0 to half a cycle per pixel, along either axis.
        rings: log power by ring and direction, ``5 x ANGLES``.
        correlation: of the derivative along each direction with itself along it, ``ANGLES x (LAGS + 1)``, 1 at lag 0.
        ridge: of both derivatives together, along each direction, the same size.
    """

    across: np.ndarray
    down: np.ndarray
    rings: np.ndarray
    correlation: np.ndarray
    ridge: np.ndarray

    @property
    def path(self) -> int:
        """The direction (of :data:`ANGLES`) in which a motion, if there was one, went."""
        return int(self._evidence().argmax())

    @property
    def length(self) -> float:
        """The lag of the deepest negative correlation along the path, pixels."""
        return float(self.correlation[self.path][2:].argmin() + 2)

    def _evidence(self) -> np.ndarray:
        """How far each direction lacks power at its high frequencies, and its derivative turns against itself."""
        lost = self.rings[2:].mean(0)
        across = np.roll(lost, ANGLES // 2)
        return (across - lost) - 2.0 * self.correlation[:, 3:].min(1)

    def statistics(self) -> np.ndarray:
        """Numbers for a head: the bands of both axes; rings and correlations by their angle from the path; widths."""
        k, turned = self.path, (self.path + ANGLES // 2) % ANGLES
        low = self.correlation[k][3:]
        return np.concatenate(
            [
                self.across,
                self.down,
                _folded(self.rings.T, k).ravel(),
                _folded(self.correlation[:, _SOME], k)[::2].ravel(),
                _folded(self.ridge[:, _SOME], k)[::2].ravel(),
                [low.min(), np.log(low.argmin() + 3), np.median(self.correlation[:, 3:].min(1))],
                np.log([_half_width(self.ridge[i]) for i in (k, turned)]),
            ]
        )


def _folded(by_angle: np.ndarray, path: int) -> np.ndarray:
    """``ANGLES x n``, turned so that the path comes first, and angles to its left and right averaged."""
    turned = np.roll(by_angle, -path, 0)
    mirrored = np.roll(turned[::-1], 1, 0)
    return (0.5 * (turned + mirrored))[: ANGLES // 2 + 1]


def take_spectrum(sample: Sample) -> Spectrum:
    """The spectrum of the sample's luma; a window that is smaller than 128 pixels is continued by its mirror image."""
    taper = _taper()
    total, count = np.zeros((SIDE, SIDE // 2 + 1)), 0
    for y in sample.luma:
        if min(y.shape) < SIDE:
            more = [(0, max(0, SIDE - n)) for n in y.shape]
            y = np.pad(y, more, mode="symmetric")
        for top in _starts(y.shape[0]):
            strip = [y[top : top + SIDE, left : left + SIDE] for left in _starts(y.shape[1])]
            blocks = np.stack(strip)
            blocks = (blocks - blocks.mean((1, 2), keepdims=True)) * taper
            power = np.abs(scipy.fft.rfft2(blocks)) ** 2
            total += power.sum(0)
            count += len(blocks)
    power = total / (count * float((taper**2).sum()))
    return _describe(np.maximum(power - _ROUNDING, 0) + 0.02)


def _describe(power: np.ndarray) -> Spectrum:
    wx, wy, bands, rings = _frequencies()
    both = np.concatenate([power, power[:, 1:-1]], 1)  # columns 1 .. 63 stand for their negatives as well
    across = np.array([power[:, b].sum() for b in bands])
    rows = both.sum(1)
    rows = rows[: SIDE // 2 + 1] + np.concatenate([[0], rows[: SIDE // 2 : -1], [0]])
    down = np.array([rows[b].sum() for b in bands])
    by_ring = np.array([[np.log(power[place]).mean() for place in ring] for ring in rings])
    xx, xy, yy = (scipy.fft.irfft2(power * w, s=(SIDE, SIDE)) for w in (wx * wx, wx * wy, wy * wy))
    maps = np.stack([np.roll(m, (SIDE // 2, SIDE // 2), (0, 1)) for m in (xx, xy, yy)]).astype(np.float32)
    c, s = _directions()
    lag = np.arange(LAGS + 1)
    columns, lines = ((SIDE // 2 + t[:, None] * lag).astype(np.float32) for t in (c, s))
    seen = np.stack([cv2.remap(m, columns, lines, cv2.INTER_LINEAR) for m in maps])
    c, s = c[:, None], s[:, None]
    correlation = c * c * seen[0] + 2 * c * s * seen[1] + s * s * seen[2]
    ridge = seen[0] + seen[2]
    return Spectrum(
        np.log(across),
        np.log(down),
        by_ring,
        correlation / correlation[:, :1],
        ridge / ridge[:, :1],
    )


def _half_width(line: np.ndarray) -> float:
    """Where a correlation falls to a half, pixels."""
    below = np.flatnonzero(line < 0.5)
    if not len(below):
        return float(LAGS)
    i = int(below[0])
    return max(0.2, i - 1 + (line[i - 1] - 0.5) / max(line[i - 1] - line[i], 1e-6))


def _starts(length: int) -> list[int]:
    last = length - SIDE
    return sorted({*range(0, last, _HOP), last})


@cache
def _taper() -> np.ndarray:
    line = np.hanning(SIDE + 1)[:-1].astype(np.float32)
    return line[:, None] * line


@cache
def _directions() -> tuple[np.ndarray, np.ndarray]:
    angle = np.arange(ANGLES) * np.pi / ANGLES
    return np.cos(angle), np.sin(angle)


@cache
def _frequencies() -> tuple[np.ndarray, np.ndarray, list[slice], list[list[tuple[np.ndarray, ...]]]]:
    """Angular frequencies, bands along an axis, and the places of every ring and direction."""
    u, v = np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE)
    u, v = np.broadcast_to(u, (SIDE, len(u))), np.broadcast_to(v[:, None], (SIDE, len(u)))
    size = SIDE // 2 // _BANDS
    bands = [slice(1 + k * size, 1 + (k + 1) * size) for k in range(_BANDS)]
    radius = np.hypot(u, v)
    c, s = _directions()
    # As close to the line through 0 as the ring's middle has half a step between directions.
    cosine = np.abs(u[..., None] * c + v[..., None] * s) / np.maximum(radius, 1e-9)[..., None]
    near = cosine >= np.cos(np.pi / ANGLES)
    index = [
        [np.nonzero((radius >= low) & (radius < high) & near[..., k]) for k in range(ANGLES)]
        for low, high in _RINGS
    ]
    # A derivative by differences: 2 sin(w / 2), so that the highest frequency does not reign.
    return 2 * np.sin(np.pi * u), 2 * np.sin(np.pi * v), bands, index
