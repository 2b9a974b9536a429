"""TIFF: 8 bits through Pillow, 16 bits and floats through tifffile, see ``tiff_write`` for the way back.

Source: TIFF revision 6.0 (Adobe, 1992), sections 8, 16 and 18.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import IO

import cv2
import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from restore.errors import ImageError
from restore.files.exif import turn
from restore.files.limits import STREAMED_PIXELS, check_format
from restore.files.picture import Picture
from restore.files.raster import Planes, planes
from restore.files.rows import read_planes
from restore.files.tiff_check import check_directories, check_segments
from restore.files.tiff_floats import as_tuple, scale_floats
from restore.files.tiff_tags import is_imagej_stack, read_tags

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, _GREY: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
# Without its optional codecs tifffile unpacks these compressions (none, deflate twice, LZMA) and predictors.
_COMPRESSIONS, _PREDICTORS = (1, 8, 32946, 34925), (1, 2)
_UNSPECIFIED, _PREMULTIPLIED = 0, 1
_SIGNED = 2
_DNG_VERSION, _ORIENTATION, _ICC = 50706, 274, 34675
_BAND = 1 << 20
_AGAIN = "copy it again from where it came"


def tiff_size(file: IO[bytes]) -> tuple[int, int]:
    """Width and height; refuses what is no single picture, or is not all there.

    Raises:
        ImageError: several pages, a raw camera file, a file shorter than its strips say.
    """
    file.seek(0, 2)
    length = file.tell()
    check_directories(file, length)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        if not len(tiff.pages):
            raise ImageError("the file is cut off", hint=_AGAIN)
        page = tiff.pages.first
        for index, other in enumerate(tiff.pages):
            if index and not (other.aspage().is_reduced or other.aspage().is_mask):
                raise ImageError(
                    "it has several pages; expected one picture", hint="split it into one file a page"
                )
        if is_imagej_stack(page.aspage().description):
            raise ImageError(
                "ImageJ keeps several pictures in it; expected one picture",
                hint="split it into one file a page",
            )
        ends = (start + size for start, size in zip(page.dataoffsets, page.databytecounts, strict=False))
        if max(ends, default=0) > length or not page.dataoffsets:
            raise ImageError("the file is cut off", hint=_AGAIN)
        width, height = page.imagewidth, page.imagelength
        if not (isinstance(width, int) and isinstance(height, int)):  # of a type that no size has
            raise ImageError("the file is damaged (it has no size)", hint=_AGAIN)
        check_segments(file, page.aspage(), length)
        return width, height


def is_raw(file: IO[bytes]) -> bool:
    """Whether a TIFF is a camera's raw file: its first directory says so, or is a thumbnail's."""
    try:
        check_directories(file, file.seek(0, 2))
        file.seek(0)
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            return _DNG_VERSION in page.tags or bool(page.is_reduced)
    except Exception:
        return False  # whatever is wrong with it, reading it says so


def read_tiff(file: IO[bytes], arrays: Planes | None = None) -> Picture:
    """The picture of a file that passed :func:`tiff_size`; with ``arrays`` those are its planes.

    float16 and float64 become float32; white-is-zero grey is turned over; premultiplied alpha is divided out.

    Raises:
        ImageError: a sample type, colour space or extra channel with no clear reading.
    """
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first.aspage()
        colours = _COLOURS.get(int(page.photometric))
        extras = [int(kind) for kind in page.extrasamples]
        if colours is None:
            raise ImageError(
                f"expected grey, RGB, CMYK or palette, got {_name(page.photometric)}",
                hint="convert it to RGB",
            )
        if len(extras) > 1 or _UNSPECIFIED in extras:
            raise ImageError(
                "it has an extra channel whose meaning is not said",
                hint="save it with alpha marked as such, or without",
            )
        if _SIGNED in as_tuple(page.sampleformat):
            raise ImageError(
                f"expected unsigned samples, got signed ones of {page.bitspersample} bits",
                hint="add half their range and save it as unsigned, or as floats in [0, 1]",
            )
        told = read_tags(file)
        oriented = _ORIENTATION in page.tags
        orientation = page.tags.valueof(_ORIENTATION) if oriented else told.orientation
        orientation = orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
        icc = page.tags.valueof(_ICC)
        white = 1.0
        mode = _streamed_mode(page, extras, above=STREAMED_PIXELS if arrays is None else 0)
        if arrays is not None:
            if not mode or orientation != 1:
                raise ImageError(
                    "so large a TIFF is read only upright, in grey or RGB of 8 or 16 bits, without alpha",
                    hint="convert it first",
                )
        elif mode:
            arrays = read_planes(file, "TIFF", orientation)
        elif page.bitspersample <= 8:
            single = page.samplesperpixel == 1
            check_format("TIFF", page.imagewidth, page.imagelength, file.seek(0, 2), single=single)
            arrays, mode = _read_by_pillow(file, 1 if oriented else orientation)
        else:
            check_format("TIFF", page.imagewidth, page.imagelength, file.seek(0, 2), deep=True)
            stored, white = _read_array(file, tiff, page)
            if stored.shape[2] < colours:
                raise ImageError(
                    f"expected {colours} samples a pixel for {_name(page.photometric)}, got {stored.shape[2]}"
                )
            arrays = _split(stored, int(page.photometric), colours, _PREMULTIPLIED in extras, orientation)
            mode = {1: "I;16" if stored.dtype.kind == "u" else "F", 3: "RGB", 4: "CMYK"}[colours]
    dpi, metadata = told.dpi, told.metadata
    if orientation >= 5:
        dpi = None if dpi is None else (dpi[1], dpi[0])
        swapped = metadata.resolution
        metadata = replace(metadata, resolution=None if swapped is None else (swapped[1], swapped[0]))
    return Picture(
        *arrays,
        format="TIFF",
        mode=mode,
        icc=None if icc is None else bytes(icc),
        exif=told.exif,
        dpi=dpi,
        white=white,
        metadata=metadata,
    )


def _streamed_mode(page: tifffile.TiffPage, extras: list[int], *, above: int) -> str:
    """Pillow's name for a large page that libvips reads just as the others do, else nothing."""
    plain = {_GREY: ("L", "I;16"), _RGB: ("RGB", "RGB")}.get(int(page.photometric))
    if plain is None or page.imagewidth * page.imagelength <= above or _PREMULTIPLIED in extras:
        return ""
    kinds = (np.dtype(np.uint8), np.dtype(np.uint16))
    if page.samplesperpixel != _COLOURS[int(page.photometric)] + len(extras):
        return ""
    if page.dtype not in kinds or page.bitspersample != 8 * page.dtype.itemsize or page.planarconfig != 1:
        return ""
    alpha = "A" if extras and page.dtype == np.uint8 else ""
    return plain[kinds.index(page.dtype)] + alpha


def _read_by_pillow(file: IO[bytes], orientation: int) -> tuple[Planes, str]:
    """The planes, turned by the tag as Pillow does it, else by ``orientation``."""
    file.seek(0)
    image = TiffImagePlugin.TiffImageFile(file)
    # Pillow would measure the picture against its own global limit; ours has been kept already.
    image.im = Image.core.new(image.mode, getattr(image, "_tile_size", image.size))
    image.info.pop("xmp", None)  # by this it would turn some pictures whose size it has not swapped
    return planes(image, orientation), image.mode


def _read_array(
    file: IO[bytes], tiff: tifffile.TiffFile, page: tifffile.TiffPage
) -> tuple[np.ndarray, float]:
    """The samples, ``H x W x S`` in file order: uint16 or float32; and what white is in the file, for floats."""
    dtype = page.dtype
    if (
        dtype is None
        or dtype not in (np.uint16, np.float16, np.float32, np.float64)
        or page.bitspersample % 16
    ):
        raise ImageError(
            f"expected 8 or 16-bit or floating samples, got {page.bitspersample}-bit {dtype}",
            hint="convert it to 16 bits",
        )
    if page.compression in _COMPRESSIONS and page.predictor in _PREDICTORS:
        array = page.asarray()
        if page.samplesperpixel > 1 and page.planarconfig == 2:
            array = np.moveaxis(array, 0, -1)
    else:
        array = _read_by_opencv(file, tiff, page)
    array = array.reshape(page.imagelength, page.imagewidth, -1)
    return (array, 1.0) if array.dtype == np.uint16 else scale_floats(array, page)


def _read_by_opencv(file: IO[bytes], tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> np.ndarray:
    """For compressions that tifffile leaves to an optional package (LZW, PackBits, floating predictor)."""
    file.seek(0)
    data = bytearray(file.read())
    if _ORIENTATION in page.tags:  # it would turn some pictures and not others
        struct.pack_into(tiff.byteorder + "H", data, page.tags[_ORIENTATION].valueoffset, 1)
    array = None
    if int(page.photometric) in (_GREY, _RGB) and page.samplesperpixel != 2:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.size != page.imagelength * page.imagewidth * page.samplesperpixel:
        raise ImageError(
            f"cannot unpack {_name(page.compression)} {_name(page.photometric)}",
            hint="save it with deflate compression",
        )
    if array.ndim == 3:
        codes = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
        array = cv2.cvtColor(array, codes[array.shape[2]])
    return array


def _name(value: int) -> str:
    return str(getattr(value, "name", value))


def _split(
    stored: np.ndarray, photometric: int, colours: int, premultiplied: bool, orientation: int
) -> Planes:
    stored = turn(stored, orientation)
    top = 65535 if stored.dtype == np.uint16 else 1.0
    pixels = np.ascontiguousarray(stored[:, :, : min(colours, 3)])
    alpha = np.ascontiguousarray(stored[:, :, colours]) if stored.shape[2] > colours else None
    if alpha is not None and premultiplied:
        _divide_by(pixels, alpha, top)
    if photometric in (_WHITE_IS_ZERO, _CMYK):
        np.subtract(pixels.dtype.type(top), pixels, out=pixels)
    return pixels, alpha, stored.dtype.type(top) - stored[:, :, 3] if photometric == _CMYK else None


def _divide_by(pixels: np.ndarray, alpha: np.ndarray, top: float) -> None:
    rows = max(1, _BAND // alpha.shape[1])
    for first in range(0, len(alpha), rows):
        band, weight = pixels[first : first + rows], alpha[first : first + rows, :, None].astype(np.float64)
        straight = np.where(weight > 0, band * (top / np.where(weight > 0, weight, 1)), 0)
        band[...] = np.floor(np.minimum(straight, top) + 0.5) if pixels.dtype == np.uint16 else straight
