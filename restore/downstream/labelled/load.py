"""A name or a path becomes labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from restore.downstream.labelled.base import Labelled
from restore.downstream.labelled.digits import digits
from restore.downstream.labelled.folders import from_csv, from_folder
from restore.downstream.labelled.idx import fashion_mnist
from restore.errors import UsageError
from restore.names import parse_name

NAMES = ("digits", "fashion-mnist")


def load_labelled(where: str, *, classes: Sequence[str] = ()) -> Labelled:
    """``digits``, ``fashion-mnist``, ``fashion-mnist:part=train,folder=DIR``, a folder per class, or a CSV.

    Args:
        classes: names in the order of the classifier's logits; empty: sorted folder names.

    Raises:
        UsageError: neither a known name nor something that is there.
    """
    name, values = (where, {}) if Path(where).exists() else parse_name(where)
    if name == "digits" and not values:
        return digits()
    if name == "fashion-mnist" and set(values) <= {"part", "folder"}:
        folder = values.get("folder")
        return fashion_mnist(Path(str(folder)) if folder else None, part=str(values.get("part", "test")))
    path = Path(where)
    if path.is_dir():
        return from_folder(path, classes=classes)
    if path.is_file():
        return from_csv(path, classes=classes)
    raise UsageError(
        f"expected labelled pictures, got {where!r}",
        hint=f"{', '.join(NAMES)}, a folder with a folder per class, or a CSV of file,label",
    )
