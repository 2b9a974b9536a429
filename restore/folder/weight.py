"""How large a picture is, before anything of it is read into memory."""

from __future__ import annotations

import math
from pathlib import Path


def megapixels(path: Path) -> float:
    """By what the file's header says; infinite where that cannot be known, so that it goes through alone.

    Not ``Image.open``: that warns of, and above 179 megapixels refuses, what :mod:`restore.files` can read.
    """
    from PIL import Image

    from restore.files import FORMATS

    Image.init()
    try:
        with path.open("rb") as file:
            prefix = file.read(32)
            for name in FORMATS:
                factory, accept = Image.OPEN.get(name, (None, None))
                if factory is not None and accept is not None and accept(prefix) is True:
                    file.seek(0)
                    width, height = factory(file, "").size
                    return width * height / 1e6
    except Exception:
        # Whatever is wrong with the file, reading it says so.
        return math.inf
    return math.inf
