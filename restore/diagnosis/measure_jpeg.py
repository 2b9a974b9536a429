"""Measures the quality a picture was JPEG-coded at: from a file's tables, or from what its coefficients still show.

Decoded blocks keep the coefficients near multiples of the quantiser's steps. For every quality the likelihood of the
coefficients under its table is compared with that under no table at all (after Fan and de Queiroz, "Identification of
bitmap compression history", IEEE TIP 2003; Neelamani et al., "JPEG compression history estimation", IEEE TIP 2006),
where the blocks' grid may begin anywhere.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from restore.degradations.codec import quantisation_table
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.sample import BLOCK, Sample, brightest
from restore.files.jpeg import nearest_quality

NAMES = ("JPEG quality", "JPEG quality in pixels", "JPEG grid")
UNIT = "quality"
UNCODED = 100
QUALITIES = np.arange(5, 100)
# Coefficients that are looked at: row plus column of the first ones; higher ones are mostly 0.
_ORDER = 5
# Bins of a quarter over coefficients up to 300; rounding to 8 bits leaves this error (of 255) and rarely a larger one.
_BIN, _LARGEST, _RARE = 0.25, 300.0, 0.02
_ERRORS = (0.4, 0.8)
_BLOCKS = 3000  # are enough
# So many of the 8 phases of rows and of columns are tried for the grid.
_LIKELY = 2
# Log-likelihood from which on a table is believed; of 300 photographs that were not coded none
# came above -170, of drawings with few different blocks some to 174. Below the other one it is certain there was none.
_EVIDENCE, _AGAINST = 200.0, -25.0


def measure_jpeg(sample: Sample, tables: tuple[tuple[int, ...], ...] | None = None) -> dict[str, Measurement]:
    """By name (:data:`NAMES`), qualities on libjpeg's scale, 100 where nothing was coded.

    ``JPEG quality``: of the file where its tables are given (certain), else that in the pixels; ``JPEG quality in
    pixels``: what they show, which a file coded twice, or saved again without loss, still does; ``JPEG grid``: by how
    much steps at the strongest phase of 8 exceed those elsewhere, a share of the mean step.
    """
    in_pixels = measure_coding(sample)
    found = Measurement(NAMES[0], in_pixels.value, in_pixels.lower, in_pixels.upper, UNIT)
    if tables:
        quality = float(nearest_quality(tables))
        found = Measurement(NAMES[0], quality, quality, quality, UNIT)
    across, down = (float(np.clip(p.max(), 0, 4)) for p in grid_phases(sample))
    grid = Measurement(NAMES[2], (across + down) / 2, min(across, down), max(across, down), "share")
    return {m.name: m for m in (found, in_pixels, grid)}


def measure_coding(sample: Sample) -> Measurement:
    """The quality (libjpeg's scale) that the pixels show they were coded at last; 100 where they show none."""
    best: tuple[float, np.ndarray] | None = None
    for offset in _offsets(sample):
        scores = _likelihoods(_histograms(sample, *offset))
        if best is None or scores.max() > best[0]:
            best = (float(scores.max()), scores)
    assert best is not None
    top, scores = best
    if top < _EVIDENCE:
        # Where hardly any coefficient is left that is not 0 nothing speaks for a table, and nothing against one.
        return Measurement(NAMES[1], UNCODED, UNCODED if top < _AGAINST else QUALITIES[0], UNCODED, UNIT)
    quality = int(QUALITIES[scores.argmax()])
    near = QUALITIES[scores > top - max(4.0, 0.02 * top)]
    return Measurement(NAMES[1], quality, float(near.min()) - 1, float(near.max()) + 1, UNIT)


def grid_phases(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """By how much the step between neighbours is larger at each of the 8 phases of columns and of rows, in units of
    the mean step; 0 where there is no grid."""
    found = []
    for axis in (1, 0):
        jumps, usual, n = np.zeros(BLOCK), 0.0, 0
        for y in sample.luma:
            if y.shape[axis] < 4 * BLOCK:
                continue
            step = np.abs(np.diff(y, axis=axis)).mean(1 - axis)
            bend = step[1:-1] - 0.5 * (step[:-2] + step[2:])
            # bend[i] is the step between pixels i + 1 and i + 2: a block begins at i + 2.
            m = len(bend) // BLOCK * BLOCK
            jumps += np.roll(bend[:m].reshape(-1, BLOCK).mean(0), 2)
            usual += float(step.mean())
            n += 1
        found.append((jumps - np.median(jumps)) / (usual + 0.05 * n) if n else jumps)
    return found[0], found[1]


def _offsets(sample: Sample) -> list[tuple[int, int]]:
    """Where the grid may begin, as (row, column): as decoded, and where the two strongest phases of the steps say."""
    across, down = grid_phases(sample)
    columns, rows = (np.argsort(p)[: -_LIKELY - 1 : -1].tolist() for p in (across, down))
    return sorted({(0, 0), *product(rows, columns)})


def _histograms(sample: Sample, top: int, left: int) -> np.ndarray:
    """Counts of the absolute coefficients of every frequency, ``frequencies x bins``, of blocks that differ and hold
    no clipped pixel (which would move every coefficient)."""
    basis, places = _transform()
    bins = round(_LARGEST / _BIN)
    counts = np.zeros((len(places), bins), np.float32)
    blocks = [_blocks(y, w, top, left) for y, w in zip(sample.luma, sample.windows, strict=True)]
    pixels = np.concatenate(blocks)
    pixels = pixels[:: max(1, len(pixels) // _BLOCKS)]
    coefficients = np.abs(pixels @ basis)
    # What is drawn repeats itself: a block counts once.
    _, first = np.unique(coefficients @ np.sqrt(np.arange(2.0, 2.0 + len(places))), return_index=True)
    place = (coefficients[first] * (1 / _BIN) + 0.5).astype(np.int64)
    for k in range(len(places)):
        counts[k] = np.bincount(np.minimum(place[:, k], bins - 1), minlength=bins)
    counts[:, -1] = 0
    return counts


def _blocks(luma: np.ndarray, pixels: np.ndarray, top: int, left: int) -> np.ndarray:
    """Blocks of luma from the offset on, a row of 64 each, without those that hold a clipped value of any channel."""
    h, w = ((n - o) // BLOCK * BLOCK for n, o in zip(luma.shape, (top, left), strict=True))
    if h <= 0 or w <= 0:
        return np.zeros((0, BLOCK * BLOCK), np.float32)

    def cut(plane: np.ndarray) -> np.ndarray:
        part = plane[top : top + h, left : left + w].reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK)
        return part.transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK)

    high, low = cut(brightest(pixels)), cut(-brightest(-pixels))
    return cut(luma)[(low.min(1) > 0.5) & (high.max(1) < 254.5)]


def _likelihoods(counts: np.ndarray) -> np.ndarray:
    """For every quality the log-likelihood against none, the best over the sizes of the error."""
    totals = np.zeros((len(_ERRORS), len(QUALITIES)))
    for line, (tables, quality_of) in zip(counts, _score_tables(), strict=True):
        used = int(np.flatnonzero(line).max(initial=-1)) + 1
        # Not by BLAS: so small a product is done before its threads have met.
        totals += np.einsum("esb,b->es", tables[..., :used], line[:used])[:, quality_of]
    return totals.max(0)


@cache
def _transform() -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The cosine transform of a flat block to the low frequencies without the mean, and which they are."""
    n = np.arange(BLOCK)
    cosine = np.cos(np.pi / BLOCK * (n + 0.5) * n[:, None]) * np.sqrt(2 / BLOCK)
    cosine[0] /= np.sqrt(2)
    places = [(u, v) for u in range(BLOCK) for v in range(BLOCK) if 0 < u + v <= _ORDER]
    basis = np.stack([np.outer(cosine[u], cosine[v]).ravel() for u, v in places], 1)
    return basis.astype(np.float32), places


@cache
def _score_tables() -> list[tuple[np.ndarray, np.ndarray]]:
    """Per frequency: scores of a coefficient by size of the error, step and bin; and the step's row by quality."""
    _, places = _transform()
    quantisers = [quantisation_table(int(q)).numpy() for q in QUALITIES]
    c = np.arange(round(_LARGEST / _BIN)) * _BIN
    found = []
    for u, v in places:
        steps, quality_of = np.unique([int(table[u, v]) for table in quantisers], return_inverse=True)
        step = steps[:, None]
        apart = c - step * np.rint(c / step)
        tables = []
        for error in _ERRORS:
            near, next_to = (
                np.exp(-0.5 * (a / error) ** 2) / (error * np.sqrt(2 * np.pi))
                for a in (apart, np.abs(apart) - step)
            )
            ratio = np.log((1 - _RARE) * step * (near + next_to) + _RARE)
            # What is next to 0 says little: flat places do not need a quantiser to be flat.
            tables.append(np.where(c > step / 2, ratio, np.minimum(ratio, 0)).astype(np.float32))
        found.append((np.stack(tables), quality_of))
    return found
