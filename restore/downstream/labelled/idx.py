"""Pictures and labels in IDX files, as MNIST and Fashion-MNIST come."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch

from restore.downstream.labelled.base import Labelled
from restore.errors import UsageError

# Where the Debian package dataset-fashion-mnist puts them.
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file of unsigned bytes, compressed or not.

    Raises:
        UsageError: missing, or not such a file.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    axes = data[3] if len(data) > 4 else 0
    if data[:3] != b"\x00\x00\x08" or not axes:
        raise UsageError(f"{path} is not an IDX file of bytes")
    shape = np.frombuffer(data, ">u4", axes, offset=4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * axes)
    if int(np.prod(shape)) != len(values):
        raise UsageError(f"{path} holds {len(values)} values, its header says {shape.tolist()}")
    return values.reshape(shape)


def fashion_mnist(folder: Path | None = None, *, part: str = "test") -> Labelled:
    """Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, MIT): 28 x 28 grey, ``part`` "train" 60,000 or "test" 10,000.

    Args:
        folder: of the four ``*-ubyte.gz`` files; None: where the Debian package ``dataset-fashion-mnist`` puts them.

    Raises:
        UsageError: files that are missing or damaged, or another part.
    """
    where = FASHION_FOLDER if folder is None else folder
    stem = {"train": "train", "test": "t10k"}.get(part)
    if stem is None:
        raise UsageError(f"expected part train or test, got {part!r}")
    files = [where / f"{stem}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    if not all(f.exists() for f in files):
        raise UsageError(
            f"no Fashion-MNIST in {where}",
            hint="apt install dataset-fashion-mnist, or fashion-mnist:folder=FOLDER of its four .gz files",
        )
    pictures, labels = (read_idx(f) for f in files)
    return Labelled(
        name=f"fashion-mnist-{part}",
        ids=[f"{part}-{i:05d}" for i in range(len(labels))],
        labels=labels.astype(np.int64),
        read=lambda i: torch.from_numpy(pictures[i].astype(np.float32))[None] / 255,
        classes=FASHION_CLASSES,
    )
