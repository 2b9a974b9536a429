"""What the models made, as PNG files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from restore.errors import UsageError
from restore.files import Picture, write_picture
from restore.image import tensor_to_array


class Saver:
    """Writes ``folder/condition/model/picture.png``, 8 bits, or 16 where the reference has more.

    Raises:
        UsageError: two pictures that differ in their ending alone would be one file.
    """

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self.folder = folder
        taken: dict[Path, Path] = {}
        for file in files:
            other = taken.setdefault(file.with_suffix(".png"), file)
            if other != file:
                raise UsageError(
                    f"{str(other)!r} and {str(file)!r} would be saved as one file", hint="rename one"
                )

    def write(self, condition: str, model: str, file: Path, picture: Picture, restored: Tensor) -> None:
        """Saves ``restored`` (``1 x C x H x W`` in [0, 1]) with the colour profile of ``picture``."""
        depth = np.uint8 if picture.pixels.dtype == np.uint8 else np.uint16
        path = self.folder / slug(condition) / slug(model) / file.with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(
            path,
            Picture(
                pixels=tensor_to_array(restored, depth), icc=picture.icc, colour_chunks=picture.colour_chunks
            ),
        )


def slug(label: str) -> str:
    """A label as a folder's name: ``noise:sigma=25`` becomes ``noise_sigma=25``."""
    return re.sub(r"[^\w.=,+-]+", "_", label.replace(" ", "")).strip(".") or "_"
