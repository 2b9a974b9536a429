"""A file as a picture: what it is comes from its content, never from its name."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image

from restore.errors import ImageError
from restore.files import png16, png_text, pnm16
from restore.files.described import measured, read_metadata
from restore.files.exif import split_orientation, turn
from restore.files.extras import read_foreign
from restore.files.formats import FORMATS
from restore.files.jpeg import check_complete, tables_of
from restore.files.jpeg2000_check import check_jpeg2000
from restore.files.jpeg_check import check_jpeg
from restore.files.kinds import FOREIGN, HEAD, kind_by_head, kind_by_suffix
from restore.files.limits import STREAMED_PIXELS, check_format
from restore.files.picture import Picture
from restore.files.quiet import quiet_libraries
from restore.files.raster import Planes, planes
from restore.files.rows import read_planes
from restore.files.tiff import MAGIC as TIFF_MAGIC
from restore.files.tiff import is_raw, read_tiff, tiff_size

_AGAIN = "copy it again from where it came"
_PNG_COLOUR = (b"cICP", b"cHRM", b"gAMA", b"sRGB")


def read_picture(path: Path | str, *, max_megapixels: float = 400.0) -> Picture:
    """Reads a still PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000 or AVIF; HEIC, JPEG XL, camera raw by extras.

    Depth is kept (8 or 16 bits, float TIFF), grey stays grey, palettes become RGB, 1-bit becomes 8-bit grey.
    Pixels are turned upright as the file's orientation says. Of a multi-picture JPEG (phones put depth
    or gain maps there) the main picture is read.

    Args:
        max_megapixels: larger pictures are refused by their header, before memory is taken for them.

    Raises:
        ImageError: missing, not readable, not a picture, damaged, cut off, animated, too large, or of a kind
            that could not be written back alike.
    """
    with opened(Path(path)) as file:
        return _read(file, max_megapixels)


def picture_size(path: Path | str) -> tuple[int, int]:
    """Width and height as the header of a file says, before any turning; no pixel is decoded.

    Raises:
        ImageError: as :func:`read_picture`, where that shows in the header; any size is accepted.
    """
    with opened(Path(path)) as file:
        prefix = file.read(HEAD)
        if (foreign := _foreign(file, prefix)) is not None:
            raise ImageError(f"the size of {foreign} is not told by its header alone")
        return tiff_size(file) if prefix[:4] in TIFF_MAGIC else open_image(file, prefix).size


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, with whatever goes wrong with it as an ImageError that names it."""
    quiet_libraries()
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a pipe could wait for ever
            raise ImageError("not a regular file")
        with path.open("rb") as file:
            yield file
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        reason, hint = _explain(error)
        raise ImageError(f"cannot read {str(path)!r}: {reason}", hint=hint) from error


def _explain(error: Exception) -> tuple[str, str | None]:
    if isinstance(error, ImageError):
        return error.message, error.hint
    if isinstance(error, OSError) and error.errno is not None:
        return (error.strerror or str(error)).lower(), None
    text = " ".join(str(error).split()) or type(error).__name__
    if "truncated" in text.lower():
        return "the file is cut off", _AGAIN
    return f"the file is damaged, or of an unusual kind ({text})", _AGAIN


def _read(file: IO[bytes], limit: float) -> Picture:
    prefix = file.read(HEAD)
    length = os.fstat(file.fileno()).st_size
    if (foreign := _foreign(file, prefix)) is not None:

        def check(width: int, height: int) -> None:
            check_size(width, height, limit)
            check_format(foreign, width, height, length)

        return measured(read_foreign(file, foreign, check))
    if prefix[:4] in TIFF_MAGIC:
        check_size(*tiff_size(file), limit)
        return measured(read_tiff(file))
    header = pnm16.read_header(file)
    if header and header.largest > 255:
        check_size(header.width, header.height, limit)
        mode = "I" if header.kind in ("P2", "P5") else "RGB"
        return Picture(*pnm16.read_pnm16(file, header), format="PPM", mode=mode)
    image = open_image(file, prefix)
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    check_size(*image.size, limit)
    if kind == "PNG":
        png16.check_compression(file, length)
    elif kind == "JPEG2000":
        check_jpeg2000(file, length)
    streamed = kind in ("PNG", "JPEG") and _is_streamed(image)
    if not streamed:
        single = image.mode in ("1", "L", "P")
        check_format(kind, *image.size, length, deep=kind == "PNG" and png16.is_deep(file), single=single)
    if kind != "JPEG" and getattr(image, "is_animated", False):
        raise ImageError("it is animated; expected a still picture", hint="take its frames apart first")
    return decode_image(file, image, kind, streamed)


def _foreign(file: IO[bytes], prefix: bytes) -> str | None:
    """The kind of a picture that an extra reads, or that nothing here reads; None: any other file."""
    if not prefix:
        return None
    suffix = Path(str(file.name)).suffix.lower()
    kind = kind_by_head(prefix, suffix) or kind_by_suffix(suffix)
    if kind == "TIFF" and is_raw(file):
        return "camera raw"
    return kind if kind in FOREIGN else None


def _is_streamed(image: Image.Image) -> bool:
    """Whether a large picture is read from top to bottom; interlacing has no top."""
    return image.size[0] * image.size[1] > STREAMED_PIXELS and not image.info.get("interlace")


def open_image(file: IO[bytes], prefix: bytes) -> Image.Image:
    """Pillow's image, pixels not decoded.

    Goes through Pillow's table of formats and not through ``Image.open``, which warns of pictures above a
    global limit; and only through formats known to be harmless and writable.
    """
    if not prefix:
        raise ImageError("the file is empty", hint=_AGAIN)
    if prefix[:2] == b"\xff\xd8":
        check_jpeg(file, os.fstat(file.fileno()).st_size)
    elif prefix[:8] == png16.SIGNATURE:
        png16.count_chunks(file)
    Image.init()
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        answer = accept(prefix) if accept else False
        if isinstance(answer, str):  # a codec that this Pillow was built without
            raise ImageError(answer, hint="install Pillow from its wheel")
        if factory is None or not answer:
            continue
        file.seek(0)
        try:
            return factory(png_text.without_texts(file) if name == "PNG" else file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            raise ImageError(
                f"the file is damaged ({error or 'its header is cut off'})", hint=_AGAIN
            ) from error
    raise ImageError("not a picture of a known kind", hint=f"known: {', '.join(FORMATS)}")


def check_size(width: int, height: int, limit: float) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"the picture has no pixels ({width} x {height})")
    if width * height > limit * 1e6:
        raise ImageError(
            f"{width} x {height} is {width * height / 1e6:.0f} megapixels; expected at most {limit:g}",
            hint="if it is what it says: restore run and restore degrade take --max-megapixels, Python max_megapixels",
        )


def decode_image(
    file: IO[bytes], image: Image.Image, kind: str, streamed: bool, arrays: Planes | None = None
) -> Picture:
    """The picture of an open image; with ``arrays`` those are its planes, and nothing is decoded."""
    told: dict[str, Any] = {"format": kind, "mode": image.mode}
    chunks = png16.read_chunks(file) if kind == "PNG" else {}
    deep = bool(chunks) and chunks[b"IHDR"][8] == 16
    if kind == "PNG":
        told["colour_chunks"] = tuple((name, chunks[name]) for name in _PNG_COLOUR if name in chunks)
        _scale_transparency(image, chunks[b"IHDR"])
        png16.check_pixel_chunks(file)
    elif kind == "JPEG":
        told["tables"], told["subsampling"] = tables_of(image)
        told["progressive"] = bool(image.info.get("progressive"))
    elif kind == "WEBP":
        told["lossless"] = _is_lossless_webp(file)
    else:
        _refuse_hidden_depth(file, image, kind)
    if kind == "PNG" and not deep and not streamed:
        image.load()  # only now the EXIF of a PNG that has it at its end is known
    metadata, exif, other = read_metadata(file, image, kind)
    orientation, exif = split_orientation(exif, other)
    dpi = image.info.get("dpi")
    if dpi and min(dpi) > 0:
        told["dpi"] = (float(dpi[0]), float(dpi[1])) if orientation < 5 else (float(dpi[1]), float(dpi[0]))
    icc = image.info.get("icc_profile") or None
    if arrays is not None:
        if orientation != 1:
            raise ImageError("so large a picture is read only upright", hint="turn it first")
        return measured(Picture(*arrays, icc=icc, exif=exif, metadata=metadata, **told))
    if streamed:
        arrays = read_planes(file, kind, orientation)
    elif deep:
        arrays = png16.read_png16(file, chunks, orientation)
    elif kind == "WEBP":
        arrays = _webp_planes(file, image, orientation)
    else:
        arrays = planes(image, orientation)
    if kind == "JPEG":
        check_complete(file, arrays[0], orientation)
    return measured(Picture(*arrays, icc=icc, exif=exif, metadata=metadata, **told))


def _scale_transparency(image: Image.Image, header: bytes) -> None:
    """Pillow scales grey samples of 2 and 4 bits to 8, but not the grey level that is transparent."""
    level = image.info.get("transparency")
    if isinstance(level, int) and image.mode == "L" and header[8] in (2, 4) and header[9] == 0:
        image.info["transparency"] = level * 255 // (2 ** header[8] - 1)


def _webp_planes(file: IO[bytes], image: Image.Image, orientation: int) -> Planes:
    """By OpenCV, whose pixels are the same: Pillow's decoder of animations takes three times the memory."""
    file.seek(0)
    array = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ImageError("the file is damaged or cut off", hint=_AGAIN)
    if image.mode == "RGB" and array.shape[2:] == (3,):
        return turn(cv2.cvtColor(array, cv2.COLOR_BGR2RGB, dst=array), orientation), None, None
    if image.mode == "RGBA" and array.shape[2:] == (4,):
        colours = turn(cv2.cvtColor(array, cv2.COLOR_BGRA2RGB), orientation)
        return colours, turn(array[:, :, 3], orientation), None
    return planes(image, orientation)


def _is_lossless_webp(file: IO[bytes]) -> bool:
    """Whether the pixels are in a VP8L chunk (RFC 9649, 2.6)."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        file.seek(size + size % 2, 1)
    return False


def _refuse_hidden_depth(file: IO[bytes], image: Image.Image, kind: str) -> None:
    """Pillow reads these as 8 bits without a word; the picture could not be written back alike."""
    file.seek(0)
    head = file.read(1 << 14)
    bits = 8
    if kind == "AVIF" and (at := head.find(b"av1C")) >= 0:
        bits = 10 if head[at + 6] & 0x40 else 8  # high_bitdepth, AV1-ISOBMFF 2.3
    elif kind == "JPEG2000" and (at := head.find(b"\xff\x4f\xff\x51")) >= 0:
        bits = (head[at + 42] & 0x7F) + 1  # Ssiz of the first component, ISO/IEC 15444-1 A.5.1
        bits = 8 if image.mode == "I;16" and bits == 16 else bits
    if bits > 8:
        raise ImageError(
            f"{kind} of {bits} bits a sample is not supported", hint="convert it to a 16-bit PNG or TIFF"
        )
