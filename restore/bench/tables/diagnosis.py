"""Fits the error bars of the diagnosis on simulated pictures, and says how well they hold.

``python -m restore.bench.tables.diagnosis --photos LARGE --shrunk SMALL``: sharp, clean photographs, those of LARGE
shrunk by two or more first, become cases with known noise, blur and enlargement
(:mod:`restore.bench.tables.diagnosis_pictures`); for every quantity a head is fitted and written to
``restore/diagnosis/calibration.json``; what they hold on pictures held out is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from restore.bench.tables.diagnosis_pictures import make_case
from restore.data.library import open_library
from restore.diagnosis.calibrate import fit_head
from restore.diagnosis.calibration import FILE, head_to_json
from restore.diagnosis.measure_blur import LENGTH_OFFSET, WIDTH_OFFSET, blur_statistics
from restore.diagnosis.measure_noise import LEVELS, noise_statistics
from restore.diagnosis.sample import take_sample
from restore.diagnosis.spectrum import take_spectrum
from restore.errors import RestoreError
from restore.files import atomic_write
from restore.image import array_to_tensor
from restore.report import Column, markdown_table

COLUMNS = [
    Column("quantity", "quantity"),
    Column("coverage", "truth in the interval", 3),
    Column("width", "width (log)", 2),
    Column("error", "mean error (log)", 3),
]
# What heads give, of the truth: logarithms, since errors grow with what is measured.
_GIVEN: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    **{name: ("noise", lambda t: np.log(t + 0.5)) for name in LEVELS},
    "blur width": ("blur", lambda t: np.log(t + WIDTH_OFFSET)),
    "blur length": ("blur", lambda t: np.log(t + LENGTH_OFFSET)),
    "enlargement": ("blur", np.log),
}


def photographs(large: Path, shrunk: Path) -> Iterator[np.ndarray]:
    """Clean ones: those of ``large`` at a long side of 1280 and below, those of ``shrunk`` as they are."""
    yield from open_library(
        large, long_sides=(1280,), shrink_by=("lanczos", "box", "bicubic"), hold_out=0
    ).train
    yield from open_library(shrunk, long_sides=(), hold_out=0).train


def make_statistics(photos: Iterator[np.ndarray], per: int) -> dict[str, np.ndarray]:
    """``noise`` and ``blur`` statistics, the number of the ``picture``, and every truth, a row per case."""
    rows: dict[str, list[Any]] = {}
    for number, photo in enumerate(photos):
        if min(photo.shape[:2]) < 200:
            continue
        for k in range(per):
            case = make_case(photo, np.random.default_rng([number, k]))
            x = array_to_tensor(case.pixels)
            sample = take_sample(lambda t, b, le, r, x=x: x[..., t:b, le:r], *x.shape[-2:])  # type: ignore[misc]
            found: dict[str, Any] = {
                "noise": noise_statistics(sample),
                "blur": blur_statistics(sample, take_spectrum(sample)),
                "picture": float(number),
                **case.truth,
            }
            for key, value in found.items():
                rows.setdefault(key, []).append(value)
    return {key: np.array(values) for key, values in rows.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the cases, fits, writes and prints."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.diagnosis", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="photographs, to be shrunk")
    parser.add_argument("--shrunk", type=Path, required=True, help="photographs that were shrunk already")
    parser.add_argument("--per", type=int, default=20, help="cases of each photograph")
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        made = make_statistics(photographs(given.photos, given.shrunk), given.per)
        heads, rows = {}, []
        for name, (kind, as_given) in _GIVEN.items():
            fit = fit_head(made[kind], as_given(made[name]), made["picture"])
            heads[name] = head_to_json(fit.head)
            rows.append({"quantity": name, "coverage": fit.coverage, "width": fit.width, "error": fit.error})
        with atomic_write(given.out) as temporary:
            temporary.write_text(json.dumps({"cases": len(made["picture"]), "fits": rows, "heads": heads}))
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(markdown_table(rows, COLUMNS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
