"""How large a picture is, before anything of it is read into memory."""

from __future__ import annotations

import math
from pathlib import Path


def megapixels(path: Path) -> float:
    """By what the file's header says; infinite where that cannot be known, so that it goes through alone."""
    from restore.errors import ImageError
    from restore.files import picture_size

    try:
        width, height = picture_size(path)
    except ImageError:
        return math.inf  # whatever is wrong with the file, reading it says so
    return width * height / 1e6
