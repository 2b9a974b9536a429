"""Measures on windows of a picture what tells drawings from photographs: flatness, palette, edges, repetition, noise.

A sensor's noise leaves no two places alike; what a program draws is exactly flat, exactly graded or exactly repeated,
its edges stand between flat sides, and its colours are few. A codec or a resize weakens each of these differently, so
that several are measured, some with tolerances.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from restore.diagnosis.sample import BLOCK, Sample

Counts = dict[str, np.ndarray]
_TILE = 256
# Differences of neighbours fall into these classes: 0, 1, 2..3, 4..7, 8..15, 16..31, 32..63, 64 and more.
_CLASS = np.array([0, *(min(7, int(np.log2(d)) + 1) for d in range(1, 256))], np.uint8)
_BLOCK = 16
_PATCH = 6
_PATCH_CONTRAST = 24
_EDGE = 32
_SEGMENT = 32
_COLOUR_BINS = 1 << 16
_HASH = np.random.default_rng(5).integers(1, 1000, (_PATCH, _PATCH)).astype(np.float32)
_ENDS = np.ones((5, 5), np.uint8)


def _plane_basis() -> np.ndarray:
    """Orthonormal functions 1, x, y on a block, ``256 x 3``."""
    axis = np.arange(_BLOCK) - (_BLOCK - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    basis = np.stack([np.ones_like(x), x, y], -1).reshape(-1, 3)
    return np.asarray(basis / np.linalg.norm(basis, axis=0), np.float32)


_PLANE = _plane_basis()

NAMES = (
    *(f"difference {k}" for k in ("0", "1", "2..3", "4..7", "8..15", "16..31", "32..63", "64+")),
    *(f"nonzero difference {k}" for k in ("1", "2..3", "4..7", "8..15", "16..31", "32..63", "64+")),
    "flat",
    "flat unclipped",
    "nearly flat",
    "black",
    "white",
    *(f"top {k} colours" for k in (1, 4, 16, 64, 256)),
    *(f"top {k} unclipped colours" for k in (1, 4, 16, 64, 256)),
    "distinct colours",
    *(f"edges with {side} flat within {t}" for t in (0, 2, 6) for side in ("one side", "both sides")),
    "edges",
    *(f"luma edges with {side} flat within {t}" for t in (2, 6, 12) for side in ("one side", "both sides")),
    "luma edges",
    *(f"luma range {k}" for k in ("0..2", "3..6", "7..15", "16..47", "48+")),
    "two tones",
    "one tone",
    "contrast blocks",
    *(f"range quantile {q}" for q in (10, 25, 50, 75)),
    "graded blocks",
    "nearly graded blocks",
    "graded windows",
    "rms left of graded windows",
    "equal lines",
    "repeated patches",
    "flat inside 8 x 8",
    "dense changes",
    "grey",
)


def measure_features(sample: Sample) -> np.ndarray:
    """The features :data:`NAMES` of a picture, all about 0 to 1."""
    counts: Counts = {}
    for window in sample.windows:
        pixels = window.astype(np.uint8)
        pixels = np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
        for tile in _tiles(pixels):
            _measure_tile(np.ascontiguousarray(tile), counts)
    return _shares(counts)


def _tiles(x: np.ndarray) -> list[np.ndarray]:
    """About equal parts of about 256 pixels a side."""
    rows, columns = (
        np.linspace(0, n, max(1, round(n / _TILE)) + 1).astype(int) // BLOCK * BLOCK for n in x.shape[:2]
    )
    rows[-1], columns[-1] = x.shape[:2]
    return [x[a:b, c:d] for a, b in pairwise(rows) for c, d in pairwise(columns)]


def _add(counts: Counts, name: str, value: np.ndarray) -> None:
    counts[name] = counts[name] + value if name in counts else np.asarray(value, np.float64)


def _measure_tile(x: np.ndarray, counts: Counts) -> None:
    luma = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    changes = [_largest(cv2.absdiff(x[:, 1:], x[:, :-1])), _largest(cv2.absdiff(x[1:], x[:-1])).T]
    low, high = x.min(2), x.max(2)
    black, white = high <= 2, low >= 253
    clipped = black | white
    _add(
        counts,
        "pixels",
        np.array([x.shape[0] * x.shape[1], black.sum(), white.sum(), (high == low).sum()], float),
    )

    spread = _largest(cv2.subtract(cv2.dilate(x, _ENDS), cv2.erode(x, _ENDS)))
    _add(counts, "spread", np.bincount(spread.ravel(), minlength=256).astype(float))
    _add(counts, "open spread", np.bincount(spread[~clipped], minlength=256).astype(float))

    code = x[..., 0].astype(np.uint32) << 16 | x[..., 1].astype(np.uint32) << 8 | x[..., 2]
    place = (code * np.uint32(2654435761)) >> np.uint32(16)
    _add(counts, "colours", np.bincount(place.ravel(), minlength=_COLOUR_BINS))
    _add(counts, "open colours", np.bincount(place[~clipped], minlength=_COLOUR_BINS))

    for d, shut in zip(changes, (clipped, clipped.T), strict=True):
        classes = _CLASS[d]
        _add(counts, "classes", np.bincount(classes.ravel(), minlength=8).astype(float))
        open_pairs = ~(shut[:, 1:] & shut[:, :-1])
        _add(counts, "open classes", np.bincount(classes[open_pairs], minlength=8).astype(float))
        _add(counts, "edges", _count_edges(d, (0, 2, 6)))
        still = d == 0
        grid = still[:, 7::8]
        _add(counts, "grid", np.array([grid.sum(), grid.size, still.sum(), still.size], float))
        moved = ~still
        dense = moved[:, 1:-1] & moved[:, :-2] & moved[:, 2:]
        _add(counts, "dense", np.array([dense.sum(), moved[:, 1:-1].sum()], float))
    for d in (cv2.absdiff(luma[:, 1:], luma[:, :-1]), cv2.absdiff(luma[1:], luma[:-1]).T):
        _add(counts, "luma edges", _count_edges(d, (2, 6, 12)))
    swing = cv2.subtract(cv2.dilate(luma, _ENDS), cv2.erode(luma, _ENDS))
    _add(counts, "luma spread", np.bincount(swing.ravel(), minlength=256).astype(float))
    _measure_ramp(x, counts)
    _measure_lines(changes, counts)
    _measure_blocks(luma, counts)
    _measure_patches(luma, counts)


def _largest(d: np.ndarray) -> np.ndarray:
    """The largest of three channels."""
    return np.asarray(cv2.max(cv2.max(d[..., 0], d[..., 1]), d[..., 2]))


def _count_edges(d: np.ndarray, within: tuple[int, ...]) -> np.ndarray:
    """Along rows: edges, and how many of them stand between flat sides (three pixels, two away)."""
    pair = cv2.max(d[:, :-1], d[:, 1:])
    row, at = np.nonzero(d[:, 4:-5] >= _EDGE)
    before, after = pair[row, at], pair[row, at + 7]
    both, one = np.maximum(before, after), np.minimum(before, after)
    return np.array([len(row), *((side <= t).sum() for t in within for side in (one, both))], float)


def _measure_ramp(x: np.ndarray, counts: Counts) -> None:
    """How far the window, every fourth pixel of it, is from polynomials of the fourth degree; nothing if flat."""
    part = x[::4, ::4].reshape(-1, 3).astype(np.float32)
    if len(part) < 100 or not np.ptp(part, axis=0).any():
        return
    basis = _polynomials(*x[::4, ::4].shape[:2])
    left = part - basis @ (basis.T @ part)
    rms = float(np.sqrt(np.mean(left**2, axis=0)).max())
    _add(counts, "ramps", np.array([rms < 0.5, np.log2(1 + rms) / 6, 1], float))


@lru_cache(maxsize=32)
def _polynomials(h: int, w: int) -> np.ndarray:
    """Orthonormal polynomials up to the fourth degree, ``h w x 15``."""
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    powers = np.stack([x**a * y**b for a in range(5) for b in range(5 - a)], -1).reshape(h * w, -1)
    return np.linalg.qr(powers)[0].astype(np.float32)


def _measure_lines(changes: list[np.ndarray], counts: Counts) -> None:
    """How many pieces of rows and columns that change along themselves equal their neighbours."""
    for along, across in (changes, changes[::-1]):
        n = along.shape[1] // _SEGMENT * _SEGMENT
        busy = along[:-1, :n].reshape(len(along) - 1, -1, _SEGMENT).max(2) >= 8
        equal = across.T[:, :n].reshape(len(across.T), -1, _SEGMENT).max(2) == 0
        _add(counts, "lines", np.array([(busy & equal).sum(), busy.sum()], float))


def _measure_blocks(luma: np.ndarray, counts: Counts) -> None:
    """Blocks of 16 x 16: near their darkest or lightest tone, near their median, and graded as a plane is."""
    h, w = (n // _BLOCK for n in luma.shape)
    blocks = luma[: h * _BLOCK, : w * _BLOCK].reshape(h, _BLOCK, w, _BLOCK).swapaxes(1, 2).reshape(h * w, -1)
    low, high = blocks.min(1).astype(np.int16), blocks.max(1).astype(np.int16)
    values = blocks.astype(np.float32)
    mean = values.mean(1, keepdims=True)
    centred = values - mean
    planar = centred @ _PLANE
    left = np.maximum((centred**2).sum(1) - (planar**2).sum(1), 0) / _BLOCK**2
    graded = high > low
    _add(
        counts,
        "graded",
        np.array([(left < 0.35**2)[graded].sum(), (left < 0.7**2)[graded].sum(), graded.sum()], float),
    )
    strong = (high - low) >= 40
    if not strong.any():
        _add(counts, "tones", np.array([0, 0, 0, len(blocks)], float))
        return
    blocks, low, high = blocks[strong], low[strong, None], high[strong, None]
    near = (high - low) // 8
    two = ((blocks <= low + near) | (blocks >= high - near)).mean(1).sum()
    middle = np.partition(blocks, _BLOCK**2 // 2, axis=1)[:, _BLOCK**2 // 2, None].astype(np.int16)
    one = (np.abs(blocks - middle) <= near // 2).mean(1).sum()
    _add(counts, "tones", np.array([two, one, len(blocks), len(strong)], float))


def _measure_patches(luma: np.ndarray, counts: Counts) -> None:
    """How many patches of 6 x 6 with some contrast occur again in the window, at any place."""
    box = np.ones((_PATCH, _PATCH), np.uint8)
    anchor = (0, 0)
    contrast = cv2.subtract(cv2.dilate(luma, box, anchor=anchor), cv2.erode(luma, box, anchor=anchor))
    hashes = cv2.filter2D(luma, cv2.CV_32F, _HASH, anchor=anchor)
    inside = (slice(0, 1 - _PATCH), slice(0, 1 - _PATCH))
    found = np.sort(hashes[inside][contrast[inside] >= _PATCH_CONTRAST])
    again = (found[1:] == found[:-1]).sum() if len(found) else 0
    _add(counts, "patches", np.array([again, len(found)], float))


def _shares(sums: Counts) -> np.ndarray:
    """Counts as shares."""

    def share(a: float, b: float, otherwise: float = 0.0) -> float:
        return float(a / b) if b > 0 else otherwise

    pixels, black, white, grey = sums["pixels"]
    spread, opened = sums["spread"], sums["open spread"]
    classes, moved = sums["classes"], sums["open classes"][1:]
    colours, open_colours = np.sort(sums["colours"])[::-1], np.sort(sums["open colours"])[::-1]
    tops = (1, 4, 16, 64, 256)
    edges, luma_edges, tones, graded = sums["edges"], sums["luma edges"], sums["tones"], sums["graded"]
    swing, ramps = sums["luma spread"], sums.get("ramps", np.array([1.0, 0.0, 1.0]))
    grid = sums["grid"]
    cumulated = np.cumsum(opened)
    quantiles = [
        np.log2(1 + np.searchsorted(cumulated, q * cumulated[-1] / 100)) / 8 if cumulated[-1] else 0
        for q in (10, 25, 50, 75)
    ]
    return np.array(
        [
            *classes / classes.sum(),
            *moved / max(moved.sum(), 1),
            share(spread[0], pixels),
            share(opened[0], opened.sum()),
            share(opened[:3].sum(), opened.sum()),
            black / pixels,
            white / pixels,
            *(colours[:k].sum() / pixels for k in tops),
            *(share(open_colours[:k].sum(), open_colours.sum(), 1.0) for k in tops),
            np.log2(max((colours > 0).sum(), 1)) / 16,
            *(share(n, edges[0], 0.5) for n in edges[1:]),
            min(1.0, 10 * edges[0] / (2 * pixels)),
            *(share(n, luma_edges[0], 0.5) for n in luma_edges[1:]),
            min(1.0, 10 * luma_edges[0] / (2 * pixels)),
            *(swing[a:b].sum() / pixels for a, b in ((0, 3), (3, 7), (7, 16), (16, 48), (48, 256))),
            share(tones[0], tones[2], 0.5),
            share(tones[1], tones[2], 0.5),
            share(tones[2], tones[3]),
            *quantiles,
            share(graded[0], graded[2], 0.5),
            share(graded[1], graded[2], 0.5),
            ramps[0] / ramps[2],
            ramps[1] / ramps[2],
            share(sums["lines"][0], sums["lines"][1]),
            share(sums["patches"][0], sums["patches"][1]),
            share(grid[2], grid[3]) - share(grid[0], grid[1]),
            share(sums["dense"][0], sums["dense"][1]),
            grey / pixels,
        ],
        np.float64,
    )
