"""What a file tells of its picture beside the pixels, whatever its format."""

from __future__ import annotations

from dataclasses import replace
from typing import IO

from PIL import Image

from restore.files import png_text, segments
from restore.files.metadata import Metadata
from restore.files.picture import Picture
from restore.files.xmp import stand_upright


def measured(picture: Picture) -> Picture:
    """The picture, with its size beside its metadata: some of them count in pixels."""
    picture.metadata = replace(picture.metadata, size=picture.size)
    return picture


def read_metadata(
    file: IO[bytes], image: Image.Image, kind: str
) -> tuple[Metadata, bytes | None, int | None]:
    """What the file tells beside its pixels, its EXIF block, and the orientation that its XMP tells."""
    exif = image.info.get("exif")
    if kind == "JPEG":
        metadata, orientation = segments.read_metadata(file)
        further = getattr(image, "n_frames", 1) - 1
        if further > 0:
            metadata = metadata.leaves(
                "1 further picture (MPO)" if further == 1 else f"{further} further pictures (MPO)"
            )
        return metadata, exif, orientation
    if kind == "PNG":
        told = png_text.read_metadata(file)
        return told.metadata, exif or told.exif, told.orientation
    orientation, xmp = None, image.info.get("xmp")
    if isinstance(xmp, bytes) and xmp:
        orientation, xmp = stand_upright(xmp)
    comment = image.info.get("comment")
    comments = (comment,) if isinstance(comment, bytes) and comment else ()
    return Metadata(xmp=xmp or None, comments=comments), exif, orientation
