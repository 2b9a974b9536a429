"""The middles of photographs as a small folder of their own, for comparisons that must end in minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from restore.errors import UsageError
from restore.files import Picture, find_pictures, read_picture, write_picture
from restore.image import array_to_tensor, tensor_to_array, to_grey


@contextmanager
def middles(folder: Path, *, count: int, side: int, grey: bool = False) -> Iterator[Path]:
    """A folder, gone afterwards, of the middle ``side x side`` pixels of ``count`` photographs, evenly spread.

    It is called ``<folder>-middle<side>`` (``-grey``), which names it in results.

    Args:
        grey: the luma of each, rounded to 8 bits, instead of its colours.

    Raises:
        UsageError: fewer pictures than asked for, or a smaller one.
    """
    files = find_pictures(folder)
    if not 1 <= count <= len(files):
        raise UsageError(f"expected {count} photographs in {str(folder)!r}, got {len(files)}")
    with TemporaryDirectory() as scratch:
        made = Path(scratch) / f"{folder.resolve().name}-middle{side}{'-grey' if grey else ''}"
        made.mkdir()
        for file in (files[i * len(files) // count] for i in range(count)):
            pixels = read_picture(folder / file).pixels
            height, width = pixels.shape[:2]
            if min(height, width) < side:
                raise UsageError(f"expected sides of {side} pixels or more, {file} has {width} x {height}")
            top, left = (height - side) // 2, (width - side) // 2
            part = array_to_tensor(pixels[top : top + side, left : left + side, :3])
            part = to_grey(part) if grey else part
            write_picture(made / f"{file.stem}.png", Picture(pixels=tensor_to_array(part, np.uint8)))
        yield made
