"""What a file says of its picture beside pixels, profile and EXIF: kept as it came, or named where it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from restore.files.directories import Entry


@dataclass(frozen=True)
class Metadata:
    """Everything a picture's file tells that has no other place in :class:`restore.files.Picture`.

    What every container has some place for (``xmp``, ``photoshop``, ``comments``) goes from one format to
    another; what only one has (``texts``, ``chunks``, ``segments``, ``tags``) comes back in that one.

    Args:
        xmp: the XMP packet, its orientation set to 1.
        photoshop: Photoshop's image resources (``8BIM...``), IPTC among them.
        comments: comments of a JPEG, GIF or JPEG 2000, byte for byte.
        texts: the ``tEXt``, ``zTXt`` and ``iTXt`` chunks of a PNG, as (name, body).
        chunks: further chunks of a PNG that may be copied when its pixels change.
        segments: further segments of a JPEG, as (marker, body).
        tags: further tags of a TIFF: GeoTIFF, ImageJ, anybody's own.
        resolution: two rationals and a unit of a TIFF whose unit is none (ImageJ's scale).
        size: width and height of the picture as it was read, upright: what places in ``tags`` refer to.
        left: what was in the file and is not carried on, in words.
    """

    xmp: bytes | None = None
    photoshop: bytes | None = None
    comments: tuple[bytes, ...] = ()
    texts: tuple[tuple[bytes, bytes], ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    segments: tuple[tuple[int, bytes], ...] = ()
    tags: tuple[Entry, ...] = ()
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None
    size: tuple[int, int] | None = None
    left: tuple[str, ...] = ()

    def leaves(self, *labels: str) -> Metadata:
        """The same, with more that is not carried on."""
        return replace(self, left=tuple(dict.fromkeys((*self.left, *labels))))
