"""Labelled pictures from files: a folder per class, a CSV, or a dataset object."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.downstream.labelled.base import Labelled
from restore.errors import ImageError, UsageError, unknown
from restore.files import find_pictures, read_picture
from restore.image import array_to_tensor

# Decoded pictures that are kept, bytes: all of CIFAR-10, or 1,000 photographs of 300 x 300 pixels.
_HELD = 256 << 20


def from_folder(folder: Path, *, classes: Sequence[str] = (), name: str = "") -> Labelled:
    """A folder with a folder per class; or one folder whose file names start with the class number (``0042_x.jpg``).

    Args:
        classes: names in the order of the classifier's logits; empty: the sorted folder names.

    Raises:
        UsageError: no picture, or a folder that is no known class.
    """
    files = find_pictures(folder)
    if not files:
        raise UsageError(f"no pictures in {str(folder)!r}")
    if all(len(f.parts) > 1 for f in files):
        names = [f.parts[0] for f in files]
        known = list(classes) or sorted(set(names))
        labels = [_number(n, known) for n in names]
    else:
        numbers = [re.match(r"(\d+)", f.name) for f in files]
        if not all(numbers):
            raise UsageError(
                f"expected a folder per class in {str(folder)!r}, or file names that start with the class number"
            )
        labels = [int(m[1]) for m in numbers if m]
        known = list(classes) or [str(i) for i in range(max(labels) + 1)]
    return _from_files(name or folder.name, folder, files, labels, known)


def from_csv(path: Path, *, classes: Sequence[str] = ()) -> Labelled:
    """A CSV with the columns ``file`` (relative to it), ``label`` (a name or a number), and optionally ``source``.

    Raises:
        UsageError: missing columns, files that are not there, or a label that is no known class.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if not rows or not {"file", "label"} <= set(rows[0]):
        raise UsageError(f"{path}: expected the columns file,label", hint="and, where there is one, source")
    missing = [r["file"] for r in rows if not (path.parent / r["file"]).is_file()]
    if missing:
        raise UsageError(f"{path}: {len(missing)} files are not there, first {missing[0]!r}")
    names = [r["label"] for r in rows]
    if classes:
        known = list(classes)
    elif all(n.isdigit() for n in names):
        known = [str(i) for i in range(max(map(int, names)) + 1)]
    else:
        known = sorted(set(names))
    labels = [_number(n, known) for n in names]
    sources = [r["source"] for r in rows] if all(r.get("source") for r in rows) else []
    return _from_files(path.stem, path.parent, [Path(r["file"]) for r in rows], labels, known, sources)


def from_dataset(dataset: Any, *, name: str, classes: Sequence[str] = ()) -> Labelled:
    """A torch dataset: ``dataset[i]`` gives (picture, class number); pictures are tensors in [0, 1], arrays or PIL.

    Raises:
        UsageError: no length, or labels that are no whole numbers.
    """
    try:
        targets = getattr(dataset, "targets", None)
        targets = [dataset[i][1] for i in range(len(dataset))] if targets is None else targets
        labels = np.asarray([int(t) for t in targets], np.int64)
    except (TypeError, ValueError, IndexError) as error:
        raise UsageError(f"{name}: expected a dataset of (picture, class number): {error}") from None
    known = (
        list(classes) or list(getattr(dataset, "classes", ())) or [str(i) for i in range(labels.max() + 1)]
    )
    return Labelled(
        name=name,
        ids=[f"{name}-{i}" for i in range(len(labels))],
        labels=labels,
        read=lambda i: _as_picture(dataset[i][0]),
        classes=known,
    )


def _from_files(
    name: str,
    root: Path,
    files: Sequence[Path],
    labels: Sequence[int],
    classes: Sequence[str],
    sources: Sequence[str] = (),
) -> Labelled:
    # Every cell asks for the same pictures in the same order, so that the latest ones would never be asked for
    # again before they are dropped: the first ones are kept, as many as fit.
    held: dict[int, np.ndarray] = {}
    room = _HELD

    def read(i: int) -> Tensor:
        nonlocal room
        pixels = held.get(i)
        if pixels is None:
            pixels = read_picture(root / files[i]).pixels
            if pixels.nbytes <= room:
                held[i] = pixels
                room -= pixels.nbytes
        return array_to_tensor(pixels)[0]

    return Labelled(
        name=name,
        ids=[f.as_posix() for f in files],
        labels=np.asarray(labels, np.int64),
        read=read,
        classes=list(classes),
        sources=list(sources),
    )


def _number(label: str, known: Sequence[str]) -> int:
    if label in known:
        return list(known).index(label)
    if label.isdigit() and int(label) < len(known):
        return int(label)
    raise unknown("class", label, known)


def _as_picture(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        if value.ndim != 3 or not value.is_floating_point():
            raise ImageError(f"expected a tensor C x H x W in [0, 1], got {tuple(value.shape)} {value.dtype}")
        return value.float()
    return array_to_tensor(np.asarray(value))[0] if not isinstance(value, torch.Tensor) else value
