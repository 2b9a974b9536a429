"""What the classifier is told of every picture of a pool, computed once and kept beside it.

``python -m restore.train.diagnosis.features POOL`` goes on where it stopped; other folders of pictures are read by
:func:`features_of`.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from restore.degradations.families import WIDE_FAMILIES
from restore.diagnosis.crops import cut_crops
from restore.diagnosis.measure import as_features, measure_picture
from restore.diagnosis.measurement import Measurement
from restore.files import write_file
from restore.image import array_to_tensor
from restore.models.degradation_classifier import DegradationClassifier, round_encoder
from restore.models.efficientnet_lite import load_published
from restore.train.diagnosis.simulate import given_path


@dataclass(frozen=True)
class Features:
    """Of N pictures: ``encoded`` (N x E), ``measured`` (N x M), ``severities`` (N x F, NaN unknown), ``factors``, and
    ``rows``: where the picture of a number stands among them."""

    encoded: Tensor
    measured: Tensor
    severities: Tensor
    factors: list[dict[str, Any]]
    rows: dict[int, int]


@cache
def published_encoder() -> DegradationClassifier:
    """The frozen encoder as it is stored, in a classifier without anything else."""
    net = DegradationClassifier(families=len(WIDE_FAMILIES), measurements=0)
    net.encoder.load_state_dict(round_encoder(load_published().state_dict()))
    return net.eval().to(memory_format=torch.channels_last)


def features_of(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The encoding and the measurement vector of ``H x W x 3`` uint8."""
    with torch.inference_mode():
        encoded = published_encoder().encode(cut_crops(pixels))[0].numpy()
    return encoded.astype(np.float16), as_features(_measured(pixels)).numpy().astype(np.float32)


def _measured(pixels: np.ndarray) -> dict[str, Measurement]:
    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return array_to_tensor(pixels[top:bottom, left:right])

    return measure_picture(read, *pixels.shape[:2])


def write_features(pool: Path, *, part: tuple[int, int] = (0, 1)) -> None:
    """Computes what is missing of ``features-*.npz`` beside every ``samples-*.jsonl``."""
    torch.set_num_threads(1)
    for number, lines in enumerate(sorted(pool.glob("samples-*.jsonl"))):
        out = lines.with_name(lines.name.replace("samples", "features")).with_suffix(".npz")
        if number % part[1] != part[0] or out.exists():
            continue
        rows = [json.loads(line) for line in lines.read_text().splitlines()]
        both = [features_of(read_pixels(given_path(pool, row["index"]))) for row in rows]
        file = io.BytesIO()
        np.savez(file, encoded=np.stack([b[0] for b in both]), measured=np.stack([b[1] for b in both]))
        write_file(out, file.getvalue())
        print(out.name, flush=True)


def read_pixels(path: Path) -> np.ndarray:
    """A picture of a pool as ``H x W x 3`` uint8."""
    pixels = cv2.imread(str(path))
    assert pixels is not None
    return np.ascontiguousarray(pixels[..., ::-1])


def read_features(pool: Path) -> Features:
    """Everything computed so far of a pool."""
    encoded, measured, rows = [], [], []
    for path in sorted(pool.glob("features-*.npz")):
        with np.load(path) as kept:
            encoded.append(kept["encoded"].astype(np.float32))
            measured.append(kept["measured"].astype(np.float32))
        lines = path.with_name(path.name.replace("features", "samples")).with_suffix(".jsonl")
        rows += [json.loads(line) for line in lines.read_text().splitlines()]
    places = {int(row["index"]): place for place, row in enumerate(rows)}
    severities = torch.tensor([[row["severities"][f] for f in WIDE_FAMILIES] for row in rows])
    parts = [torch.from_numpy(np.concatenate(part)) for part in (encoded, measured)]
    return Features(parts[0], parts[1], severities, [row["factors"] for row in rows], places)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done."""
    parser = argparse.ArgumentParser(prog="python -m restore.train.diagnosis.features", description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--part", default="1/1", help="K/N: this run's share of the work")
    given = parser.parse_args(arguments)
    k, n = (int(text) for text in given.part.split("/"))
    write_features(given.pool, part=(k - 1, n))
    return 0


if __name__ == "__main__":
    sys.exit(main())
