"""The file formats that are read and written, and what each can hold: one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from restore.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Format:
    """What a file format can hold.

    Args:
        suffixes: the endings of its files, the usual one first.
        depth: the deepest samples: ``"8"``, ``"16 grey"`` (16 bits for grey only), ``"16"`` or ``"float"``.
        alpha: transparency. ``grey``: one channel. ``cmyk``: four inks.
        lossy: ``quality`` means something.
    """

    suffixes: tuple[str, ...]
    depth: Literal["8", "16 grey", "16", "float"] = "8"
    alpha: bool = True
    grey: bool = True
    cmyk: bool = False
    lossy: bool = False


# Keys are Pillow's names.
FORMATS = {
    "PNG": Format((".png", ".apng"), "16"),
    "JPEG": Format((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), alpha=False, cmyk=True, lossy=True),
    "WEBP": Format((".webp",), grey=False, lossy=True),
    "TIFF": Format((".tif", ".tiff"), "float", cmyk=True),
    "BMP": Format((".bmp", ".dib")),
    "PPM": Format((".ppm", ".pgm", ".pbm", ".pnm"), "16", alpha=False),
    "GIF": Format((".gif",)),
    "JPEG2000": Format((".jp2", ".j2k", ".jpx", ".j2c", ".jpc", ".jpf"), "16 grey"),
    "AVIF": Format((".avif",), grey=False, lossy=True),
}
SUFFIXES = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}


def format_of(path: Path) -> str | None:
    """The format a file name asks for by its ending, or None."""
    return SUFFIXES.get(path.suffix.lower())


def format_named(name: str) -> str:
    """Pillow's name for ``"jpg"``, ``".png"``, ``"TIFF"``.

    Raises:
        UsageError: a format that is not in the table.
    """
    plain = name.strip().lstrip(".")
    if plain.upper() in FORMATS:
        return plain.upper()
    if "." + plain.lower() in SUFFIXES:
        return SUFFIXES["." + plain.lower()]
    raise UsageError(
        f"unknown picture format {name!r}", hint=did_you_mean(plain.lower(), [n.lower() for n in FORMATS])
    )
