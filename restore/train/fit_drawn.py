"""Fits what tells drawings from photographs (``restore/diagnosis/drawn.json``) to folders and procedural drawings."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from restore.data.library import read_rgb8, shrink_to
from restore.diagnosis.drawn_features import NAMES, measure_features
from restore.diagnosis.measure_drawn import FAR, FILE, Classifier
from restore.diagnosis.sample import take_sample
from restore.files import atomic_file, find_pictures, write_file
from restore.train.drawn_examples import drawing_example, photograph_example

_LONG_SIDE = 1600
# Of the examples of held-out photographs, nearly all spoiled, this share may be taken for drawn.
_FALSE = 0.015
# Deviation that is added to standardised features: kinds that nobody drew for training are a little off.
_FEATURE_NOISE = 0.4
_GIVEN = 0.3  # share of the drawings that are from the folder
_PROTOCOL = "photographs of at most 1600 pixels a side; every fifth is held out and sets the threshold"


@dataclass
class Examples:
    """Features, whether drawn, and the number of the photograph that was used, of every example."""

    features: list[np.ndarray] = field(default_factory=list)
    drawn: list[bool] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Written whole or not at all, so that a stop leaves the older file."""
        with atomic_file(path) as file:
            np.savez(file, features=np.array(self.features), drawn=self.drawn, numbers=self.numbers)


def measure_examples(
    photos: list[np.ndarray], drawings: list[np.ndarray], *, count: int, seed: int, file: Path | None
) -> Examples:
    """Every second one drawn; each a function of the seed and its place, so that ``file`` is carried on."""
    done = Examples()
    if file is not None and file.exists():
        saved = np.load(file)
        done = Examples(list(saved["features"]), saved["drawn"].tolist(), saved["numbers"].tolist())
    for k in range(len(done.features), count):
        rng = np.random.default_rng((seed, k))
        number = int(rng.integers(len(photos)))
        if k % 2:
            example = photograph_example(photos[number], rng)
        else:
            given = drawings[int(rng.integers(len(drawings)))] if rng.random() < _GIVEN else None
            example = drawing_example(rng, given, photos[number])
        done.features.append(features_of(example))
        done.drawn.append(k % 2 == 0)
        done.numbers.append(number)
        if file is not None and (k % 100 == 99 or k == count - 1):
            done.save(file)
    return done


def features_of(pixels: np.ndarray) -> np.ndarray:
    """The features of a picture ``H x W x 3`` uint8."""
    picture = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return picture[:, :, top:bottom, left:right].float() / 255

    return measure_features(take_sample(read, *pixels.shape[:2]))


def fit_classifier(
    features: np.ndarray,
    drawn: np.ndarray,
    held_out: np.ndarray,
    *,
    fits: int = 4,
    hidden: int = 16,
    steps: int = 1500,
) -> Classifier:
    """Perceptrons by the logistic loss, with the threshold that the photographs held out set."""
    mean, scale = features[~held_out].mean(0), features[~held_out].std(0) + 0.01
    x = torch.from_numpy(np.clip((features - mean) / scale, -FAR, FAR)).float()
    y = torch.from_numpy(drawn.astype(np.float32))
    parts = [_descend(x[~held_out], y[~held_out], hidden, steps, seed) for seed in range(fits)]
    hidden_weights, hidden_bias, out, out_bias = (np.stack(p).round(4) for p in zip(*parts, strict=True))
    free = Classifier(
        mean.round(5), scale.round(5), hidden_weights, hidden_bias, out, out_bias, threshold=0.0
    )
    photos = free.logits(features[held_out & ~drawn]).mean(1)
    return replace(free, threshold=round(max(1.0, float(np.quantile(photos, 1 - _FALSE))), 3))


def _descend(x: Tensor, y: Tensor, hidden: int, steps: int, seed: int) -> tuple[np.ndarray, ...]:
    """Weights in the order of a classifier's fields."""
    generator = torch.Generator().manual_seed(seed)
    n = x.shape[1]
    weights = (
        torch.randn(hidden, n, generator=generator) * 0.5 / n**0.5,
        torch.zeros(hidden),
        torch.zeros(hidden + n),
        torch.zeros(()),
    )
    for w in weights:
        w.requires_grad_()
    optimiser = torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    for _ in range(steps):
        k = torch.randint(len(x), (256,), generator=generator)
        some = x[k] + _FEATURE_NOISE * torch.randn(256, n, generator=generator)
        units = torch.cat([torch.tanh(some @ weights[0].T + weights[1]), some], 1)
        loss = F.binary_cross_entropy_with_logits(units @ weights[2] + weights[3], y[k])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return tuple(w.detach().double().numpy() for w in weights)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m restore.train.fit_drawn", description=__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders of clean photographs")
    parser.add_argument("--drawings", type=Path, required=True, help="a folder of clean drawings")
    parser.add_argument("--examples", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--features", type=Path, help="measured examples (.npz), kept and carried on")
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args(argv)
    photos = [p for folder in args.photos for p in _open(folder)]
    found = measure_examples(
        photos, _open(args.drawings), count=args.examples, seed=args.seed, file=args.features
    )
    features, drawn = np.array(found.features), np.array(found.drawn)
    numbers = np.array(found.numbers)
    held_out = numbers % 5 == 0
    classifier = fit_classifier(features, drawn, held_out)
    logits = classifier.logits(features[held_out]).mean(1)
    scores = {
        "examples": len(features),
        "held_out": int(held_out.sum()),
        "drawings_found": float((logits[drawn[held_out]] > classifier.threshold).mean()),
        "photographs_taken_for_drawn": float((logits[~drawn[held_out]] > classifier.threshold).mean()),
    }
    record = {key: v.tolist() if isinstance(v, np.ndarray) else v for key, v in vars(classifier).items()}
    page = {"protocol": _PROTOCOL, **scores, "features": list(NAMES), "classifier": record}
    write_file(args.out, json.dumps(page, separators=(",", ":")) + "\n")
    print(json.dumps(scores))
    return 0


def _open(folder: Path) -> list[np.ndarray]:
    """The pictures of a folder as ``H x W x 3`` uint8, large ones shrunk."""
    found = []
    for name in find_pictures(folder):
        pixels = read_rgb8(folder / name)
        scale = _LONG_SIDE / max(pixels.shape[:2])
        if scale < 1:
            size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
            pixels = shrink_to(pixels, size, "box")
        found.append(pixels)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
