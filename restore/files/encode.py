"""A picture as a file that is like the one it came from."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from restore.errors import ImageError, UsageError
from restore.files import png16, png_text, pnm16, segments
from restore.files.atomic import atomic_write, open_checked
from restore.files.carry import fit_metadata, holds_exif
from restore.files.exif import with_prefix
from restore.files.formats import FORMATS, format_named, format_of
from restore.files.jpeg import finest
from restore.files.picture import Picture
from restore.files.tiff_write import write_tiff

# Without a `quality`, for pictures that did not come as JPEG: no visible loss.
QUALITY = 95
_BAND = 1 << 20


def write_picture(
    path: Path | str, picture: Picture, *, format: str | None = None, quality: int | None = None
) -> None:
    """Writes ``picture``, whole or not at all.

    The format is ``format``, else what the ending of ``path`` says, else the picture's own. Depth follows the
    dtype; formats without 16 bits get floor(x / 257 + 0.5). Profile, EXIF and pixels per inch go where the
    format holds them and are left out elsewhere. GIF gets a palette of 256 colours, and transparency that is
    on or off. PNG, TIFF, BMP, PPM and JPEG 2000 are lossless; WebP is if its source was.

    Args:
        path: in a folder that exists; an existing file is replaced at the end, in one step.
        quality: 1 to 100 for JPEG, WebP and AVIF. None: a JPEG keeps the tables and subsampling of its
            source, but is nowhere coarser than quality 92; lossless WebP stays so; everything else 95.

    Raises:
        ImageError: the format cannot hold the pixels (alpha, CMYK, floats), or the file cannot be written.
        UsageError: an unknown format, or a quality out of range.
    """
    path = Path(path)
    kind = format_named(format) if format else format_of(path) or format_named(picture.format)
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"expected quality from 1 to 100, got {quality}")
    try:
        picture.check()
        fitted = fit_picture(picture, kind)
    except ImageError as error:
        raise _refused(path, error.message, error.hint) from None
    with atomic_write(path) as temporary:
        try:
            if kind == "TIFF":
                write_tiff(temporary, fitted)
            else:
                with open_checked(temporary) as file:
                    encode_whole(file, fitted, kind, quality, path.suffix.lower())
        except MemoryError:
            raise
        except Exception as error:
            # Errors with a number are the disk's, and atomic_write has words for those.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise _refused(path, f"{kind} does not take it ({error})", None) from error


def _refused(path: Path, reason: str, hint: str | None) -> ImageError:
    return ImageError(f"cannot write {str(path)!r}: {reason}", hint=hint)


def fit_picture(picture: Picture, kind: str) -> Picture:
    """The picture with the depth and channels that ``kind`` holds; its arrays are not changed."""
    holds = FORMATS[kind]
    pixels, alpha, black = picture.pixels, picture.alpha, picture.black
    if black is not None and not holds.cmyk:
        raise ImageError(f"{kind} cannot hold CMYK", hint="write JPEG or TIFF, or convert it to RGB first")
    if pixels.dtype == np.float32 and holds.depth != "float":
        raise ImageError(f"{kind} cannot hold floating samples", hint="write TIFF")
    if alpha is not None and not holds.alpha:
        if bool((alpha != picture.top).any()):
            raise ImageError(f"{kind} cannot hold transparency", hint="write PNG, WebP or TIFF")
        alpha = None
    holds_deep = holds.depth in ("16", "float") or (
        holds.depth == "16 grey" and pixels.shape[2] == 1 and alpha is None
    )
    if pixels.dtype == np.uint16 and not holds_deep:
        pixels = to_8_bits(pixels)
        alpha = None if alpha is None else to_8_bits(alpha)
        black = None if black is None else to_8_bits(black)
    if pixels.shape[2] == 1 and not holds.grey:
        pixels = np.repeat(pixels, 3, axis=2)
    return replace(picture, pixels=pixels, alpha=alpha, black=black, metadata=fit_metadata(picture, kind))


def to_8_bits(plane: np.ndarray) -> np.ndarray:
    """floor(x / 257 + 0.5), band by band."""
    out = np.empty(plane.shape, np.uint8)
    rows = max(1, _BAND // plane.shape[1])
    for top in range(0, len(plane), rows):
        out[top : top + rows] = (plane[top : top + rows].astype(np.uint32) + 128) // 257
    return out


def encode_whole(file: IO[bytes], picture: Picture, kind: str, quality: int | None, suffix: str) -> None:
    if kind == "PNG" and picture.pixels.dtype == np.uint16:
        png16.write_png16(file, _interleave(picture), png_chunks(picture))
    elif kind == "PPM" and picture.pixels.dtype == np.uint16:
        pnm16.write_pnm16(file, picture.pixels)
    elif kind == "BMP" and picture.alpha is not None:
        _write_bmp_with_alpha(file, picture)
    else:
        image = _as_image(picture) if kind != "GIF" else _as_palette(picture)
        options = _options(picture, kind, quality, suffix)
        if kind == "JPEG2000":
            # Through memory: on a full disk Pillow's encoder for it tries to write for ever.
            memory = io.BytesIO()
            image.save(memory, kind, **options)
            file.write(memory.getbuffer())
        elif kind == "PNG" and (unknown := png_text.unlisted(picture.metadata)):
            memory = io.BytesIO()
            image.save(memory, kind, **options)
            png16.insert_chunks(file, memory.getbuffer(), unknown)
        else:
            image.save(file, kind, **options)


def _interleave(picture: Picture) -> np.ndarray:
    """``H x W x C`` with alpha last; for CMYK the four inks."""
    fourth = picture.black if picture.black is not None else picture.alpha
    if fourth is None:
        return picture.pixels
    array = np.concatenate([picture.pixels, fourth[:, :, None]], 2)
    return np.subtract(255, array, out=array) if picture.black is not None else array


def _as_image(picture: Picture) -> Image.Image:
    array = np.ascontiguousarray(_interleave(picture))
    if picture.black is not None:
        return Image.frombuffer("CMYK", picture.size, array, "raw", "CMYK", 0, 1)
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _as_palette(picture: Picture) -> Image.Image:
    """At most 256 colours, one of them transparent where alpha is below one half."""
    opaque = _as_image(replace(picture, alpha=None))
    if picture.alpha is None:
        return opaque if opaque.mode == "L" else opaque.quantize(256)
    few = opaque.convert("RGB").quantize(255)
    index = np.where(picture.alpha < 128, np.uint8(255), np.asarray(few))
    image = Image.fromarray(index).convert("P")
    image.putpalette(few.getpalette() or [])
    image.info["transparency"] = 255
    return image


def _options(picture: Picture, kind: str, quality: int | None, suffix: str) -> dict[str, Any]:
    """What Pillow is told beside the pixels."""
    options: dict[str, Any] = {}
    if picture.icc and kind in ("PNG", "JPEG", "WEBP", "AVIF"):
        options["icc_profile"] = picture.icc
    if picture.exif and _takes_exif(picture.exif, kind):
        options["exif"] = with_prefix(picture.exif) if kind == "JPEG" else picture.exif
    if picture.dpi and kind in ("PNG", "JPEG", "BMP") and max(picture.dpi) < 65535:
        options["dpi"] = picture.dpi
    if picture.metadata.xmp and kind in ("WEBP", "AVIF"):
        options["xmp"] = picture.metadata.xmp
    if picture.metadata.comments and kind in ("GIF", "JPEG2000"):
        options["comment"] = b"\n".join(picture.metadata.comments)
    if kind == "PNG":
        options["pnginfo"] = info = PngImagePlugin.PngInfo()
        for name, body in picture.colour_chunks:
            info.add(name, body)
        for name, body in png_text.pack_chunks(picture.metadata):
            info.add(name, body)
    elif kind == "JPEG":
        options["extra"] = segments.pack_segments(picture.metadata)
        options |= {"progressive": picture.progressive, "subsampling": picture.subsampling or 0}
        if quality is None and picture.tables:
            options["qtables"] = finest(picture.tables)
        else:
            options["quality"] = quality or QUALITY
    elif kind == "WEBP":
        options |= {"lossless": bool(picture.lossless) and quality is None, "quality": quality or QUALITY}
        options["exact"] = True  # keeps colours under transparent pixels
    elif kind == "AVIF":
        options |= {"quality": quality or QUALITY, "subsampling": "4:4:4"}
    elif kind == "JPEG2000":
        options["no_jp2"] = suffix in (".j2k", ".j2c", ".jpc")
    return options


def _takes_exif(exif: bytes, kind: str) -> bool:
    """A block too long, or one that Pillow has to parse and cannot, is left out: the picture matters more."""
    if kind == "AVIF":
        try:
            Image.Exif().load(exif)
        except Exception:
            return False
    return holds_exif(exif, kind)


def png_chunks(picture: Picture) -> list[tuple[bytes, bytes]]:
    chunks = list(picture.colour_chunks)
    if picture.icc:
        # A profile and an sRGB chunk exclude each other (PNG, 11.3.2.3).
        chunks = [chunk for chunk in chunks if chunk[0] != b"sRGB"] + [png16.icc_chunk(picture.icc)]
    if picture.dpi:
        chunks.append(png16.dpi_chunk(picture.dpi))
    if picture.exif:
        chunks.append((b"eXIf", picture.exif))
    return chunks + png_text.pack_chunks(picture.metadata)


def _write_bmp_with_alpha(file: IO[bytes], picture: Picture) -> None:
    """Pillow writes the alpha of a BMP, but not the header that tells readers of it; OpenCV does."""
    array = _interleave(picture)
    code = cv2.COLOR_RGBA2BGRA
    if array.shape[2] == 2:
        array = np.ascontiguousarray(array[:, :, [0, 0, 0, 1]])
    done, data = cv2.imencode(".bmp", cv2.cvtColor(array, code))
    if not done:
        raise ValueError("the encoder gives no reason")
    if picture.dpi:
        # Pixels per metre stand 38 bytes into every Windows bitmap.
        struct.pack_into("<ii", data.data, 38, *(round(value / 0.0254) for value in picture.dpi))
    file.write(data.data)
