"""A picture as it came from a file: its pixels, and everything needed to write it alike."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from restore.errors import ImageError
from restore.files.metadata import Metadata


@dataclass
class Picture:
    """Pixels, and what a file carries beside them.

    Args:
        pixels: ``H x W x C``, C = 1 or 3; uint8 or uint16 (full range), float32 for a float TIFF, upright.
            For CMYK the three planes 255-C, 255-M, 255-Y, so that a restorer sees light and not ink.
        alpha: ``H x W``, the dtype of ``pixels``, straight (not premultiplied); None: opaque.
        black: ``H x W``, 255-K of a CMYK picture (65535-K when 16-bit); None: not CMYK.
        format: Pillow's name: ``"PNG"``, ``"JPEG"``, ``"WEBP"``, ``"TIFF"``, ``"BMP"``, ...
        mode: Pillow's name of the pixel layout in the file, for people; writing goes by the arrays.
        icc: the colour profile, byte for byte.
        exif: the EXIF block from its ``II``/``MM`` on; its Orientation is 1, since the pixels are upright.
        dpi: pixels per inch across and down.
        tables: the quantisation tables of a JPEG. ``subsampling``: 0 (4:4:4), 1 (4:2:2), 2 (4:2:0).
        progressive: a progressive JPEG.
        lossless: a lossless WebP. None: not a WebP.
        colour_chunks: ``gAMA``, ``cHRM``, ``sRGB`` and ``cICP`` of a PNG, as (name, body).
        white: what 1.0 is in a floating TIFF that says so.
        metadata: XMP, IPTC, comments, texts and tags; and what was in the file but is not carried on.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    black: np.ndarray | None = None
    format: str = "PNG"
    mode: str = "RGB"
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    tables: tuple[tuple[int, ...], ...] | None = None
    subsampling: int | None = None
    progressive: bool = False
    lossless: bool | None = None
    colour_chunks: tuple[tuple[bytes, bytes], ...] = ()
    white: float = 1.0
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def top(self) -> float:
        """The largest value of a sample: 255, 65535, or 1.0 for floats."""
        return float(np.iinfo(self.pixels.dtype).max) if self.pixels.dtype.kind == "u" else 1.0

    def check(self) -> None:
        """Raises ImageError where shapes or dtypes break what is said above."""
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or min(shape) < 1:
            raise ImageError(f"expected pixels H x W x C with C = 1 or 3, got shape {shape}")
        if dtype not in (np.uint8, np.uint16, np.float32):
            raise ImageError(f"expected pixels of uint8, uint16 or float32, got {dtype}")
        for name, plane in (("alpha", self.alpha), ("black", self.black)):
            if plane is not None and (plane.shape != shape[:2] or plane.dtype != dtype):
                raise ImageError(
                    f"expected {name} {shape[:2]} of {dtype}, got {plane.shape} of {plane.dtype}",
                    hint=f"resize {name} along with the pixels",
                )
        if self.black is not None and (shape[2] != 3 or dtype.kind != "u"):
            raise ImageError(f"expected three integer planes beside black, got {shape[2]} of {dtype}")
