"""What a picture's file tells, fitted to the format it is written in; what that cannot hold is named."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from restore.files.directories import read_block
from restore.files.exif import with_prefix
from restore.files.metadata import Metadata
from restore.files.png_text import plain_texts
from restore.files.segments import LONGEST, fits, has_extension
from restore.files.tiff_tags import DESCRIPTION, GEO_TAGS, IPTC_TAG, with_iptc_tag

if TYPE_CHECKING:
    from restore.files.picture import Picture

_PADDING = re.compile(rb"\s+(?=<\?xpacket end)")
_HOLD_XMP = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_HOLD_EXIF = _HOLD_XMP
_HOLD_IPTC = ("JPEG", "PNG", "TIFF")
_HOLD_COMMENTS = ("JPEG", "PNG", "GIF", "JPEG2000", "TIFF")


def fit_metadata(picture: Picture, kind: str) -> Metadata:
    """The picture's metadata as the format ``kind`` holds them: what it has no place for is gone."""
    told = picture.metadata
    if kind != "TIFF":
        told = replace(with_iptc_tag(told), tags=(), resolution=None)
    if kind not in _HOLD_IPTC:
        told = replace(told, photoshop=None)
    if kind != "JPEG":
        told = replace(told, segments=())
    elif told.xmp is not None and not fits(told.xmp):
        shorter = _PADDING.sub(b"\n", told.xmp)
        told = replace(told, xmp=shorter if fits(shorter) else None)
    if kind != "PNG":
        texts = plain_texts(told) if kind in _HOLD_COMMENTS else {}
        lines = [text if key == "Comment" else f"{key}: {text}" for key, text in texts.items()]
        comments = (*told.comments, *(line.encode() for line in lines))
        told = replace(told, texts=(), chunks=(), comments=comments)
    if kind not in _HOLD_XMP:
        told = replace(told, xmp=None)
    if kind not in _HOLD_COMMENTS:
        told = replace(told, comments=())
    return told


def holds_exif(exif: bytes, kind: str) -> bool:
    """Whether the format takes this block: some take none, a JPEG has one segment for it."""
    return kind in _HOLD_EXIF and (kind != "JPEG" or len(with_prefix(exif)) <= LONGEST)


def left_out(picture: Picture, kind: str) -> tuple[str, ...]:
    """What the picture's source holds and a file of the format ``kind`` will not, in words."""
    had, has = picture.metadata, fit_metadata(picture, kind)
    lost = list(had.left)
    if had.xmp is not None and has.xmp is None:
        lost.append("XMP")
    elif has_extension(had) and kind != "JPEG":
        lost.append("extended XMP")
    iptc = had.photoshop is not None or any(e.tag == IPTC_TAG for e in had.tags)
    if iptc and kind not in _HOLD_IPTC:
        lost.append("IPTC and Photoshop's resources")
    if had.comments and (not has.comments or (kind == "TIFF" and _is_described(picture))):
        lost.append("comments")
    if had.texts and kind != "PNG" and (not has.comments or (kind == "TIFF" and _is_described(picture))):
        lost.append("texts of a PNG")
    if any(e.tag in GEO_TAGS for e in had.tags) and kind != "TIFF":
        lost.append("GeoTIFF tags")
    if had.resolution is not None and kind != "TIFF":
        lost.append("a scale without a unit")
    if picture.exif is not None and not holds_exif(picture.exif, kind):
        lost.append("EXIF")
    if picture.icc is not None and kind not in _HOLD_XMP:
        lost.append("its colour profile")
    return tuple(dict.fromkeys(lost))


def _is_described(picture: Picture) -> bool:
    """Whether the one place a TIFF has for a comment is taken by the EXIF block."""
    return DESCRIPTION in read_block(picture.exif).get(0, {})
