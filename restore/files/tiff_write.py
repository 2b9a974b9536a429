"""Any picture as a TIFF: deflated, with its profile, tags and directories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from restore.files.picture import Picture
from restore.files.tiff_floats import LARGEST_SAMPLE
from restore.files.tiff_tags import append_directories, extra_tags, resolution_of


def write_tiff(path: Path, picture: Picture) -> None:
    """Writes any picture, deflated, with its profile, tags and pixels per inch."""
    extra = [] if picture.alpha is None else ["unassalpha"]
    if picture.black is not None:
        top = picture.pixels.dtype.type(picture.top)
        inks = [top - picture.pixels, (top - picture.black)[:, :, None]]
        array = np.concatenate(inks if picture.alpha is None else [*inks, picture.alpha[:, :, None]], 2)
    elif picture.alpha is not None:
        array = np.concatenate([picture.pixels, picture.alpha[:, :, None]], 2)
    else:
        array = picture.pixels if picture.pixels.shape[2] == 3 else picture.pixels[:, :, 0]
    kind = (
        "separated" if picture.black is not None else "rgb" if picture.pixels.shape[2] == 3 else "minisblack"
    )
    if picture.white != 1.0:
        array = array * np.float32(picture.white)
    planar = "contig" if array.ndim == 3 else None
    options = tiff_options(picture, picture.size)
    tifffile.imwrite(
        path, array, photometric=kind, planarconfig=planar, extrasamples=extra or None, **options
    )
    append_directories(path, picture.exif)


def tiff_options(picture: Picture, size: tuple[int, int]) -> dict[str, Any]:
    """What tifffile is told of a picture of ``size`` beside its samples' layout."""
    tags = extra_tags(picture.exif, picture.metadata, size)
    if picture.white != 1.0:
        tags.append((LARGEST_SAMPLE, "f", 1, picture.white, True))
    resolution, unit = resolution_of(picture.dpi, picture.metadata, size)
    return {
        "compression": "zlib",
        "predictor": picture.pixels.dtype.kind == "u",  # the floating predictor needs an optional package
        "iccprofile": picture.icc,
        "resolution": resolution,
        "resolutionunit": unit,
        "metadata": None,
        "software": False,
        "extratags": tags,
    }
