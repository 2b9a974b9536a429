"""Pictures that are read through extras: HEIC, JPEG XL and camera raw. None of them is written.

Sources: ISO/IEC 18181-1 (JPEG XL), D.1 and D.2 (sizes and depth); HEIC by libheif, raw files by LibRaw.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any

import numpy as np

from restore.errors import ImageError
from restore.files.exif import split_orientation
from restore.files.kinds import FOREIGN
from restore.files.metadata import Metadata
from restore.files.picture import Picture
from restore.files.raster import planes
from restore.files.segments import GAIN_MAP
from restore.files.tiff_tags import read_tags
from restore.files.xmp import stand_upright

_AGAIN = "copy it again from where it came"
_MODULES = {"pillow-heif": "pillow_heif", "pillow-jxl-plugin": "pillow_jxl", "rawpy": "rawpy"}
CheckSize = Callable[[int, int], None]


def read_foreign(file: IO[bytes], kind: str, check_size: CheckSize) -> Picture:
    """The picture, upright; of a raw file what its camera would have made of it, in 16 bits.

    Args:
        kind: a name of ``FOREIGN``. ``check_size``: called with width and height before pixels are decoded.

    Raises:
        ImageError: nothing reads this kind, its extra is missing, or the file is damaged.
    """
    module = import_extra(kind)
    file.seek(0)
    reader = {"HEIC": _read_heic, "JPEG XL": _read_jxl, "camera raw": _read_raw}[kind]
    try:
        return replace(reader(module, file, check_size), format=kind)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"the {kind} file is damaged, or of an unusual kind ({text})", hint=_AGAIN
        ) from error


def import_extra(kind: str) -> Any:
    """The package that reads a kind.

    Raises:
        ImageError: it is not installed, or there is none.
    """
    package = FOREIGN[kind].package
    if package is None:
        raise ImageError(f"{kind} is not supported", hint=FOREIGN[kind].advice)
    try:
        return importlib.import_module(_MODULES[package])
    except ImportError:
        raise ImageError(
            f"{kind} is read by {package}, which is not installed",
            hint=f"pip install {package}, then --format png, tiff or jpeg",
        ) from None


def _read_heic(heif: Any, file: IO[bytes], check_size: CheckSize) -> Picture:
    container = heif.open_heif(file, convert_hdr_to_8bit=False)
    primary = container[container.primary_index]
    check_size(*primary.size)
    info = primary.info
    # libheif has turned the pixels as the container says; what EXIF says besides does not count (ISO/IEC 23008-12).
    _, exif = split_orientation(info.get("exif"))
    xmp = info.get("xmp") or None
    metadata = Metadata(xmp=None if xmp is None else stand_upright(xmp)[1])
    left = []
    if len(container) > 1:
        left.append(f"{len(container) - 1} further picture{'s' if len(container) > 2 else ''}")
    if info.get("depth_images"):
        left.append("a depth map")
    if any("hdrgainmap" in str(name).lower() for name in info.get("aux", {})):
        left.append(GAIN_MAP)
    array = np.asarray(primary)
    array = array[:, :, None] if array.ndim == 2 else array
    colours = 3 if array.shape[2] >= 3 else 1
    pixels = np.ascontiguousarray(array[:, :, :colours])
    alpha = np.ascontiguousarray(array[:, :, colours]) if array.shape[2] > colours else None
    icc = info.get("icc_profile") or None
    return Picture(pixels, alpha, mode=primary.mode, icc=icc, exif=exif, metadata=metadata.leaves(*left))


def _read_jxl(_: Any, file: IO[bytes], check_size: CheckSize) -> Picture:
    from PIL import Image

    stream, boxes = _jxl_parts(file)
    width, height, bits = _jxl_header(stream)
    check_size(width, height)
    file.seek(0)
    image = Image.OPEN["JXL"][0](file, "")
    image.load()
    if bits is not None and bits > 8 and image.mode not in ("I;16", "F"):
        raise ImageError(
            f"JPEG XL of {bits} bits a sample and colour is not supported", hint="convert it to a 16-bit PNG"
        )
    orientation, exif = split_orientation(image.info.get("exif"))
    if not getattr(image, "jpeg", False):
        orientation = 1  # the decoder has turned it
    metadata = Metadata(xmp=stand_upright(boxes[b"xml "])[1] if b"xml " in boxes else None)
    icc = image.info.get("icc_profile") or None
    return Picture(*planes(image, orientation), mode=image.mode, icc=icc, exif=exif, metadata=metadata)


def _jxl_parts(file: IO[bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """The head of the codestream, and the boxes that tell about the picture."""
    file.seek(0)
    if file.read(2) == b"\xff\x0a":
        return b"\xff\x0a" + file.read(64), {}
    file.seek(0)
    stream, boxes = b"", {}
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if size == 1:
            size = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))[0] - 8
        start = file.tell()
        if name in (b"jxlc", b"jxlp") and not stream:
            stream = file.read(70)[4 * (name == b"jxlp") :]
        elif name == b"xml " and 8 < size < 1 << 26:
            boxes[name] = file.read(size - 8)
        if size < 8:  # up to the end of the file
            break
        file.seek(start + size - 8)
    return stream, boxes


def _jxl_header(stream: bytes) -> tuple[int, int, int | None]:
    """Width, height, and bits a sample (None: not told where it is looked for)."""
    if stream[:2] != b"\xff\x0a" or len(stream) < 16:
        raise ImageError("the file is damaged or cut off", hint=_AGAIN)
    bits, at = int.from_bytes(stream[2:], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> at - count & (1 << count) - 1

    def side(small: int) -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = take(1)
    height = side(small)
    ratio = take(3)
    shapes = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
    width = height * shapes[ratio][0] // shapes[ratio][1] if ratio else side(small)
    if take(1):
        return width, height, 8
    if take(1):
        return width, height, None
    floating, choice = take(1), take(2)
    depth = 32 if floating else (8, 10, 12, 0)[choice] or take(6) + 1
    return width, height, depth


def _read_raw(rawpy: Any, file: IO[bytes], check_size: CheckSize) -> Picture:
    with rawpy.imread(file) as raw:
        check_size(raw.sizes.width, raw.sizes.height)
        pixels = raw.postprocess(output_bps=16, use_camera_wb=True)
    file.seek(0)
    told = read_tags(file) if file.read(4) in (b"II*\0", b"MM\0*") else None
    metadata = Metadata(xmp=told.metadata.xmp) if told else Metadata()
    return Picture(
        np.ascontiguousarray(pixels), mode="RGB", exif=told.exif if told else None, metadata=metadata
    )
