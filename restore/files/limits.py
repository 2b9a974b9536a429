"""How much a file may ask for: what its pixels need, and beside them a bounded amount that grows with its bytes."""

from __future__ import annotations

from restore.errors import ImageError

# Bytes beside the pixels themselves that any file may take, and those it may take for each of its own bytes: a file
# of 10 MB stays below 1 GiB.
BESIDE = 512 << 20
PER_BYTE = 50
# Bytes a pixel that decoding takes at its peak beside the picture that comes out, measured: Pillow's own image and
# the planes of the decoder. JPEG is reckoned by its blocks, JPEG 2000 by its components.
_BESIDE_PIXEL = {
    "PNG": 4, "TIFF": 4, "BMP": 5, "PPM": 4, "GIF": 5, "WEBP": 6, "AVIF": 10, "JPEG": 4,
    "HEIC": 12, "JPEG XL": 12, "camera raw": 16,
}  # fmt: skip
_PILLOW = ("PNG", "TIFF", "BMP", "PPM", "GIF", "JPEG")
# Pixels that a byte of LZW or of runs can stand for at the most.
_PIXELS_PER_BYTE = {"GIF": 2800}
# Larger pictures are read from top to bottom where their format allows, without a second copy.
STREAMED_PIXELS = 32 << 20


def check_memory(beside: float, length: int) -> None:
    """Refuses a file of ``length`` bytes whose decoding takes more than its share beside the picture.

    Args:
        beside: bytes taken at the peak beside the picture that comes out.

    Raises:
        ImageError: with both figures.
    """
    if beside > BESIDE + PER_BYTE * length:
        raise ImageError(
            f"reading it would take {beside / 2**30:.1f} GB of memory beside its pixels, "
            f"more than its {length / 1e6:.3g} MB account for",
            hint="if it is what it says, save it as a PNG or TIFF without interlacing",
        )


def check_format(
    kind: str, width: int, height: int, length: int, *, deep: bool = False, single: bool = False
) -> None:
    """:func:`check_memory` of a format that is decoded whole, and whether so few bytes can hold its pixels.

    Args:
        deep: 16-bit samples.
        single: one sample a pixel (grey, 1-bit or a palette), where Pillow takes a byte and not four.

    Raises:
        ImageError: it claims more pixels than its bytes can hold, or takes too much memory.
    """
    pixels = width * height
    check_pixels(pixels, _PIXELS_PER_BYTE.get(kind, pixels) * length, length)
    beside = _BESIDE_PIXEL.get(kind, 0) - (3 if single and kind in _PILLOW else 0)
    check_memory(beside * (1 + deep) * pixels, length)


def check_pixels(claimed: float, most: float, length: int) -> None:
    """Refuses a file that claims more than its bytes can hold, in pixels, blocks or bytes alike.

    Raises:
        ImageError: ``claimed`` is above ``most``.
    """
    if claimed > most:
        raise ImageError(
            f"the file is cut off: its {length} bytes cannot hold a picture as large as it says",
            hint="copy it again from where it came",
        )
