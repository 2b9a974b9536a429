"""What kind of picture a file is, by its first bytes and, where those do not tell, by its ending."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from restore.files.formats import SUFFIXES


@dataclass(frozen=True)
class Foreign:
    """A kind of picture that is read through an extra, or not at all.

    Args:
        suffixes: the usual endings.
        starts: first bytes, each with where they stand.
        package: what reads it; None: nothing here does.
        advice: what to do where nothing reads it.
    """

    suffixes: tuple[str, ...]
    starts: tuple[tuple[int, bytes], ...] = ()
    package: str | None = None
    advice: str = "convert it to PNG or TIFF first"


_BRANDS = (
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2", b"avci", b"jpeg",
)  # fmt: skip
FOREIGN = {
    "HEIC": Foreign(
        (".heic", ".heif", ".hif", ".heics", ".heifs", ".avci"),
        tuple((4, b"ftyp" + brand) for brand in _BRANDS),
        "pillow-heif",
    ),
    "JPEG XL": Foreign((".jxl",), ((0, b"\0\0\0\x0cJXL \r\n\x87\n"), (0, b"\xff\x0a")), "pillow-jxl-plugin"),
    "camera raw": Foreign(
        (
            ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef",
            ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".erf", ".mrw", ".kdc", ".dcr", ".mef", ".mos", ".rwl", ".gpr",
        ),
        (
            (0, b"FUJIFILMCCD-RAW"), (0, b"IIU\0"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"), (0, b"FOVb"),
            (0, b"\0MRM"), (4, b"ftypcrx "), (6, b"HEAPCCDR"),
        ),
        "rawpy",
    ),
    "OpenEXR": Foreign(
        (".exr",), ((0, b"\x76\x2f\x31\x01"),), advice="convert it to a floating TIFF with values in [0, 1] first"
    ),
    "Radiance HDR": Foreign(
        (".rgbe",), ((0, b"#?RADIANCE"), (0, b"#?RGBE")), advice="convert it to a 16-bit PNG or TIFF first"
    ),
    "Photoshop": Foreign((".psd", ".psb"), ((0, b"8BPS"),)),
    "GIMP": Foreign((".xcf",), ((0, b"gimp xcf"),)),
    "Krita": Foreign((".kra",)),
    "Targa": Foreign((".tga", ".icb", ".vda", ".vst", ".targa")),
    "icon": Foreign((".ico", ".cur", ".icns"), ((0, b"icns"), (0, b"\0\0\1\0"))),
    "PCX": Foreign((".pcx",), ((0, b"\x0a\x05\x01\x08"), (0, b"\x0a\x03\x01\x08"))),
    "QOI": Foreign((".qoi",), ((0, b"qoif"),)),
    "DDS": Foreign((".dds",), ((0, b"DDS "),)),
    "JPEG XR": Foreign((".jxr", ".wdp", ".hdp"), ((0, b"II\xbc\x01"), (0, b"II\xbc\0"))),
    "BPG": Foreign((".bpg",), ((0, b"BPG\xfb"),)),
    "FLIF": Foreign((".flif",), ((0, b"FLIF"),)),
    "SGI": Foreign((".sgi",), ((0, b"\x01\xda\0\1"), (0, b"\x01\xda\1\1"))),
    "Sun raster": Foreign((".ras",), ((0, b"\x59\xa6\x6a\x95"),)),
    "floating map (PFM)": Foreign((".pfm",), ((0, b"PF\n"), (0, b"Pf\n"))),
    "PAM": Foreign((".pam",), ((0, b"P7\n"),)),
    "FITS": Foreign((".fits",), ((0, b"SIMPLE  ="),), advice="convert it to a 16-bit TIFF first"),
    "DICOM": Foreign((".dcm", ".dicom"), ((128, b"DICM"),), advice="convert it to a 16-bit TIFF first"),
    "DPX": Foreign((".dpx", ".cin"), ((0, b"SDPX"), (0, b"XPDS"), (0, b"\x80\x2a\x5f\xd7"))),
    "DjVu": Foreign((".djvu", ".djv"), ((0, b"AT&TFORM"),)),
    "multiple-image network graphics": Foreign((".mng", ".jng"), ((0, b"\x8aMNG"), (0, b"\x8bJNG"))),
    "vector drawing": Foreign(
        (".svg", ".svgz", ".emf", ".wmf", ".eps"), ((0, b"<svg"), (40, b" EMF"), (0, b"\xd7\xcd\xc6\x9a")),
        advice="it has no pixels; draw it into a PNG first",
    ),
}  # fmt: skip
_FOREIGN_SUFFIXES = {suffix: name for name, kind in FOREIGN.items() for suffix in kind.suffixes}
HEAD = 132


def kind_of(path: Path) -> str | None:
    """The kind of picture a file is: a name of ``FORMATS`` or ``FOREIGN``; None: no picture.

    The first bytes decide; an ending decides where they are of no known kind, and that a TIFF is a camera's raw
    file. A file that cannot be read is what its ending says.
    """
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        head = b""
    return kind_by_head(head, suffix) or kind_by_suffix(suffix)


def kind_by_suffix(suffix: str) -> str | None:
    """The kind that an ending, in small letters with its dot, stands for."""
    return SUFFIXES.get(suffix) or _FOREIGN_SUFFIXES.get(suffix)


def kind_by_head(head: bytes, suffix: str = "") -> str | None:
    """The kind by the first ``HEAD`` bytes; ``suffix`` only tells raw files from TIFF."""
    tiff = head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    if tiff and (_FOREIGN_SUFFIXES.get(suffix) == "camera raw" or head[8:10] == b"CR"):
        return "camera raw"
    if tiff:
        return "TIFF"
    if head[:2] == b"BM" and len(head) > 18 and head[14:18] in _BITMAPS:
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() and head[3:4].isascii():
        return "PPM" if head[3:4].isdigit() or head[3:4] == b"#" else None
    if head[4:8] == b"ftyp" and b"avif" in head[8 : int.from_bytes(head[:4], "big")]:
        return "AVIF"  # its first brand may be a general one
    for name, starts in _OWN.items():
        if any(head[at : at + len(start)] == start for at, start in starts):
            return name
    for name, kind in FOREIGN.items():
        if any(head[at : at + len(start)] == start for at, start in kind.starts):
            return name
    return None


# The sizes of the headers that a bitmap may have.
_BITMAPS = tuple(struct.pack("<I", size) for size in (12, 16, 40, 52, 56, 64, 108, 124))
_OWN: dict[str, tuple[tuple[int, bytes], ...]] = {
    "PNG": ((0, b"\x89PNG\r\n\x1a\n"),),
    "JPEG": ((0, b"\xff\xd8\xff"),),
    "WEBP": ((8, b"WEBPVP8"),),
    "GIF": ((0, b"GIF87a"), (0, b"GIF89a")),
    "JPEG2000": ((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51")),
    "AVIF": ((4, b"ftypavif"), (4, b"ftypavis")),
}
