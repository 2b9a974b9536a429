"""What belongs to a picture in a file stays with it: orientation, profile, tags, colour chunks."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from made import SRGB, exif_block, noise, photo, same
from PIL import Image, ImageOps, PngImagePlugin

from restore.files import (
    Picture,
    read_picture,
    write_picture,
)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "png16", "webp", "tif", "tif16", "lzw16"])
def test_orientation_is_applied_once(tmp_path: Path, ending: str, orientation: int) -> None:
    path = tmp_path / f"a.{ending.removesuffix('16')}"
    image = Image.fromarray(noise(3, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(_tagged(image, exif)))
    if ending == "png16":
        write_picture(path, Picture(noise(3, np.uint8).astype(np.uint16) * 257, exif=exif.tobytes()[6:]))
    elif ending == "tif16":
        tag = (274, "H", 1, orientation, True)
        tifffile.imwrite(path, noise(3, np.uint8).astype(np.uint16) * 257, extratags=[tag], byteorder=">")
    elif ending == "lzw16":
        path = tmp_path / "a.tif"
        deep = Image.fromarray(noise(3, np.uint8)[:, :, 0].astype(np.uint16) * 257)
        deep.save(path, compression="tiff_lzw", tiffinfo={274: orientation})
        expected = expected[:, :, :1]
    else:
        image.save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
    picture = read_picture(path)
    if ending == "jpg":
        with Image.open(path) as opened:
            expected = np.asarray(ImageOps.exif_transpose(opened))
    values = picture.pixels if picture.pixels.dtype == np.uint8 else picture.pixels // 257
    assert np.array_equal(values, expected)
    write_picture(tmp_path / "b.png", picture)
    assert same(read_picture(tmp_path / "b.png").pixels, picture.pixels)
    with Image.open(tmp_path / "b.png") as opened:
        assert opened.getexif().get(0x0112, 1) == 1


def _tagged(image: Image.Image, exif: Image.Exif) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    return Image.open(file)


@pytest.mark.parametrize("ending", ["png", "png16", "jpg", "webp"])
def test_profile_exif_and_dpi_are_kept(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending[:4].rstrip('1')}"
    options = {"icc_profile": SRGB, "exif": b"Exif\0\0" + exif_block(6), "dpi": (300, 150)}
    if ending == "webp":
        del options["dpi"]
    if ending == "png16":
        source = Picture(noise(3, np.uint16), icc=SRGB, exif=exif_block(6), dpi=(300, 150))
        write_picture(path, source)
    else:
        Image.fromarray(photo()).save(path, **options)
    first = read_picture(path)
    write_picture(tmp_path / "out" if ending == "webp" else path.with_stem("out"), first)
    second = read_picture(next(tmp_path.glob("out*")))
    for picture in (first, second):
        assert picture.icc == SRGB
        assert picture.exif == exif_block(1), "only the orientation changes"
        # Turned by 90 degrees once: across became down.
        assert ending == "webp" or picture.dpi == pytest.approx((150, 300), abs=0.02)
    with Image.open(next(tmp_path.glob("out*"))) as opened:
        assert opened.getexif().get_ifd(0x8769)[0x829A] == 0.25
        opened.load()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_keeps_profile_tags_and_directories(tmp_path: Path, dtype: Any) -> None:
    exif = Image.Exif()
    exif.load(exif_block())
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x8825] = exif.get_ifd(0x8825)
    exif[0x010E] = "Grüße"
    write_picture(
        tmp_path / "a.tif", Picture(noise(3, dtype), icc=SRGB, exif=exif.tobytes()[6:], dpi=(300, 150))
    )
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    picture = read_picture(tmp_path / "b.tif")
    assert same(picture.pixels, noise(3, dtype)) and picture.icc == SRGB and picture.dpi == (300, 150)
    with (tmp_path / "b.tif").open("rb") as file:
        tags = Image.Exif()
        tags.load_from_fp(file)
        assert (tags[0x010F], tags.get_ifd(0x8769)[0x829A], tags.get_ifd(0x8825)[1]) == ("A maker", 0.25, "N")
    assert tifffile.imread(tmp_path / "b.tif").dtype == dtype


def test_png_colour_chunks_are_kept(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    Image.fromarray(photo()).save(tmp_path / "a.png", pnginfo=info)
    picture = read_picture(tmp_path / "a.png")
    for pixels in (picture.pixels, picture.pixels.astype(np.uint16) * 257):
        write_picture(tmp_path / "b.png", replace(picture, pixels=pixels))
        with Image.open(tmp_path / "b.png") as image:
            assert image.info["gamma"] == pytest.approx(0.45455)
