"""What treatments do to the pictures of a pool: ``python -m restore.train.diagnosis.outcomes POOL``.

For every picture each treatment that fits a fault it has, each that the classifier might suggest, and now and then one
that fits nothing, is tried alone; kept is by how many decibels the picture came nearer to its truth.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restore.degradations.families import WIDE_FAMILIES
from restore.diagnosis.policy import enlarged_by
from restore.diagnosis.treatments import TREATMENTS
from restore.files import write_file
from restore.models.degradation_classifier import DegradationClassifier
from restore.models.registry import load_file
from restore.restorers import Restorer, load
from restore.train.diagnosis.features import read_features, read_pixels
from restore.train.diagnosis.simulate import given_path, truth_path

# A picture that equals its truth has this many decibels.
_EQUAL = 60.0
# Suggested from this probability on, and how often what nothing suggests is tried.
_SUGGESTED, _EXPLORED = 0.15, 0.1


@cache
def _restorer(name: str) -> Restorer:
    return load(name, device="cpu")


def psnr_8bit(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB of two uint8 pictures of one size, at most 60."""
    error = float(((a.astype(np.float32) - b) ** 2).mean())
    return min(_EQUAL, 10 * float(np.log10(255**2 / max(error, 1e-9))))


def try_treatments(
    pixels: np.ndarray, truth: np.ndarray, chosen: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """Gains in dB by treatment; ``chosen``: (treatment, restorer with its values)."""
    before = psnr_8bit(pixels, truth)
    gains = {}
    for treatment, name in chosen:
        made = _restorer(name).restore_pixels(pixels)
        gains[treatment] = psnr_8bit(made, truth) - before
    return gains


def candidates(
    row: dict[str, Any], probabilities: np.ndarray, rng: np.random.Generator, *, fill: dict[str, str]
) -> list[tuple[str, str]]:
    """The treatments to try on a picture of the pool, with values filled in."""
    names = list(WIDE_FAMILIES)
    chosen = []
    for treatment in TREATMENTS:
        there = max(row["severities"][f] != 0 for f in treatment.families)  # NaN counts
        likely = max(float(probabilities[names.index(f)]) for f in treatment.families)
        if there or likely > _SUGGESTED or rng.random() < _EXPLORED:
            chosen.append((treatment.name, treatment.restorer.format(**fill)))
    return chosen


def write_outcomes(
    pool: Path, classifier: Path, *, part: tuple[int, int], count: int, only: Sequence[str] = ()
) -> None:
    """Tries what is to be tried on the first ``count`` pictures; what is there already is not done again."""
    torch.set_num_threads(1)
    probabilities, scales = _classified(pool, classifier)
    for number, lines in enumerate(sorted(pool.glob("samples-*.jsonl"))):
        rows = [json.loads(line) for line in lines.read_text().splitlines()]
        out = lines.with_name(lines.name.replace("samples", "outcomes"))
        if number % part[1] != part[0] or out.exists() or number * len(rows) >= count:
            continue
        if not all(row["index"] in scales for row in rows):
            continue  # its features are not there yet
        t, made = time.time(), []
        for row in rows:
            rng = np.random.default_rng((row["index"], 5))
            chosen = candidates(
                row, probabilities[row["index"]], rng, fill={"scale": str(scales[row["index"]])}
            )
            given, truth = (read_pixels(place(pool, row["index"])) for place in (given_path, truth_path))
            made.append({"index": row["index"], "gains": try_treatments(given, truth, chosen)})
        write_file(out, "".join(json.dumps(row) + "\n" for row in made).encode())
        print(f"{out.name}  {time.time() - t:.0f} s", flush=True)


def update_outcomes(pool: Path, classifier: Path, names: Sequence[str], *, part: tuple[int, int]) -> None:
    """Tries some treatments again wherever they were tried: their restorers, or their values, are new."""
    torch.set_num_threads(1)
    _, scales = _classified(pool, classifier)
    chosen = [t for t in TREATMENTS if t.name in names]
    for path in sorted(pool.glob("outcomes-*.jsonl"))[part[0] :: part[1]]:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            values = {"scale": str(scales[row["index"]])}
            again = [(t.name, t.written(values)) for t in chosen if t.name in row["gains"]]
            if again:
                given, truth = (read_pixels(place(pool, row["index"])) for place in (given_path, truth_path))
                row["gains"] |= try_treatments(given, truth, again)
        write_file(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
        print(f"{path.name} again", flush=True)


def _classified(pool: Path, classifier: Path) -> tuple[dict[int, np.ndarray], dict[int, int]]:
    """By number of the picture the probabilities of all families, and the factor it seems enlarged by."""
    net, _ = load_file(classifier)
    assert isinstance(net, DegradationClassifier)
    features = read_features(pool)
    with torch.inference_mode():
        out = net.classify(features.encoded, features.measured)
    named = out[:, : net.families].sigmoid().numpy()
    severity = out[:, net.families + list(WIDE_FAMILIES).index("downsampled")].tolist()
    rows = features.rows.items()
    return {n: named[row] for n, row in rows}, {n: enlarged_by(severity[row]) for n, row in rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done."""
    parser = argparse.ArgumentParser(prog="python -m restore.train.diagnosis.outcomes", description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--classifier", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2400)
    parser.add_argument("--again", help="only try these treatments again where they were tried: NAME,NAME")
    parser.add_argument("--only", action="append", default=[], help="try no other treatment than these")
    parser.add_argument("--part", default="1/1", help="K/N: this run's share of the work")
    given = parser.parse_args(arguments)
    k, n = (int(text) for text in given.part.split("/"))
    if given.again:
        update_outcomes(given.pool, given.classifier, given.again.split(","), part=(k - 1, n))
        return 0
    write_outcomes(given.pool, given.classifier, part=(k - 1, n), count=given.count, only=given.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
