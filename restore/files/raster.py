"""A decoded Pillow image as the planes of a picture, band by band, so that no second copy is ever whole."""

from __future__ import annotations

import numpy as np
from PIL import Image

from restore.errors import ImageError
from restore.files.exif import upright

# About this many pixels are converted at a time.
_BAND = 1 << 21
# Pillow's mode -> the mode read out, without and with a transparent colour or palette entry.
_PLAIN = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBX": "RGB",
    "RGBA": "RGBA", "RGBa": "RGBA", "CMYK": "CMYK", "YCbCr": "RGB", "I;16": "I;16", "I;16B": "I;16B",
    "I;16L": "I;16L", "F": "F",
}  # fmt: skip
_TRANSPARENT = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}
_COLOURS = {"RGB": 3, "RGBA": 3, "CMYK": 3}
_DTYPES = {"F": np.float32, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16}

Planes = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


def planes(image: Image.Image, orientation: int = 1) -> Planes:
    """``(pixels, alpha, black)`` of a Pillow image, stood upright; see :class:`restore.files.Picture`.

    Peak memory beside Pillow's image is the result and a band.

    Raises:
        ImageError: a mode with no reading as grey, RGB or CMYK (Lab, 32-bit integers).
    """
    mode = _PLAIN.get(image.mode)
    if "transparency" in image.info:
        mode = _TRANSPARENT.get(image.mode, mode)
    if image.format == "GIF" and image.mode == "P" and mode and _has_grey_palette(image):
        mode = {"RGB": "L", "RGBA": "LA"}[mode]  # the only way a GIF can be grey
    if mode is None:
        raise ImageError(
            f"expected grey, RGB, CMYK or palette pixels, got {image.mode}", hint="convert it to RGB first"
        )
    width, height = image.size
    dtype = _DTYPES.get(mode, np.uint8)
    pixels, into = upright((height, width, _COLOURS.get(mode, 1)), dtype, orientation)
    fourth, beside = None, None
    if mode in ("LA", "RGBA", "CMYK"):
        fourth, beside = upright((height, width), dtype, orientation)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        band: Image.Image = image.crop((0, top, width, min(height, top + rows)))
        if band.mode != mode:
            band = band.convert(mode)
        values = np.asarray(band)
        values = values[:, :, None] if values.ndim == 2 else values
        colours = into.shape[2]
        if mode == "CMYK":
            values = 255 - values
        into[top : top + rows] = values[:, :, :colours]
        if beside is not None:
            beside[top : top + rows] = values[:, :, colours]
    return (pixels, None, fourth) if mode == "CMYK" else (pixels, fourth, None)


def _has_grey_palette(image: Image.Image) -> bool:
    colours = np.array(image.getpalette() or [0, 0, 1]).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())
