"""Pictures go through files unchanged, whatever their format and kind."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from made import SRGB, exif_block, noise, photo, same
from PIL import Image

from restore.errors import ImageError, UsageError
from restore.files import (
    Picture,
    fill_under_alpha,
    find_pictures,
    picture_size,
    put_back,
    read_picture,
    write_picture,
)

LOSSLESS = [
    *[("png", c, d, a) for c in (1, 3) for d in (np.uint8, np.uint16) for a in (False, True)],
    *[("tif", c, d, a) for c in (1, 3) for d in (np.uint8, np.uint16, np.float32) for a in (False, True)],
    *[("ppm", c, d, False) for c in (1, 3) for d in (np.uint8, np.uint16)],
    *[("jp2", c, np.uint8, a) for c in (1, 3) for a in (False, True)],
    *[("webp", 3, np.uint8, a) for a in (False, True)],
    *[("bmp", 3, np.uint8, a) for a in (False, True)],
    *[(e, 1, np.uint8, False) for e in ("bmp", "gif")],
    ("jp2", 1, np.uint16, False),
]


@pytest.mark.parametrize(("ending", "channels", "dtype", "alpha"), LOSSLESS)
def test_lossless_round_trip(tmp_path: Path, ending: str, channels: int, dtype: Any, alpha: bool) -> None:
    plane = noise(4, dtype)[:, :, 3] if alpha else None
    picture = Picture(noise(channels, dtype), alpha=plane, lossless=True)
    before = picture.pixels.copy()
    write_picture(tmp_path / f"a.{ending}", picture)
    back = read_picture(tmp_path / f"a.{ending}")
    assert same(back.pixels, before) and same(back.alpha, plane) and back.black is None
    assert same(picture.pixels, before), "the caller's array changed"
    assert picture_size(tmp_path / f"a.{ending}") == (26, 19) == back.size
    # And once more, without being told anything: what went in comes out.
    write_picture(tmp_path / "again", back)
    again = read_picture(tmp_path / "again")
    assert (again.format, again.mode) == (back.format, back.mode)
    assert same(again.pixels, before) and same(again.alpha, plane)


def pillow(mode: str, **info: Any) -> Image.Image:
    array = noise(3, np.uint8)
    image = Image.fromarray(array)
    if mode == "P":
        image = image.quantize(16)
    elif mode == "PA":
        image = Image.fromarray(noise(4, np.uint8)).quantize(16, Image.Quantize.FASTOCTREE)
    elif mode == "I;16":
        image = Image.fromarray(noise(1, np.uint16)[:, :, 0] // 4096 * 4096)
    elif mode == "L4":
        image = Image.fromarray(array[:, :, 0] // 16 * 17)
    elif mode != "RGB":
        image = image.convert(mode)
    image.info.update(info)
    return image


# What a mode of Pillow should become, by Pillow's own conversion of the whole picture.
MODES = [
    ("png", "1", {}, "L"),
    ("png", "P", {}, "RGB"),
    ("png", "P", {"transparency": 3}, "RGBA"),
    ("png", "P", {"transparency": bytes(range(0, 160, 10))}, "RGBA"),
    ("png", "PA", {}, "RGBA"),
    ("png", "L", {"transparency": 77}, "LA"),
    ("png", "RGB", {"transparency": tuple(int(v) for v in noise(3, np.uint8)[3, 4])}, "RGBA"),
    ("gif", "P", {}, "RGB"),
    ("gif", "P", {"transparency": 5}, "RGBA"),
    ("tif", "1", {}, "L"),
    ("tif", "P", {}, "RGB"),
    ("bmp", "1", {}, "L"),
    ("bmp", "P", {}, "RGB"),
    ("ppm", "1", {}, "L"),
]


@pytest.mark.parametrize(("ending", "mode", "info", "wanted"), MODES)
def test_modes_become_grey_or_colour(tmp_path: Path, ending: str, mode: str, info: dict, wanted: str) -> None:
    path = tmp_path / f"a.{ending}"
    pillow(mode).save(path, **info)
    with Image.open(path) as image:
        expected = np.asarray(image.convert(wanted)).reshape(19, 26, -1)
    picture = read_picture(path)
    colours = 3 if wanted.startswith("RGB") else 1
    assert same(picture.pixels, expected[:, :, :colours])
    assert same(picture.alpha, expected[:, :, colours] if wanted.endswith("A") else None)
    assert wanted[-1] != "A" or expected[:, :, colours].std() > 0


def test_transparent_level_of_deep_and_shallow_grey(tmp_path: Path) -> None:
    deep = pillow("I;16")
    deep.save(tmp_path / "deep.png", transparency=8192)
    picture = read_picture(tmp_path / "deep.png")
    assert picture.alpha is not None and same(picture.alpha == 0, np.asarray(deep) == 8192)
    # Four bits: sample 7 of 15 is 119 of 255. Written by hand, as Pillow writes no 4-bit grey.
    rows = np.arange(16, dtype=np.uint8).reshape(1, 16)
    file = io.BytesIO()
    Image.fromarray(rows).quantize(16).save(file, "PNG", bits=4)
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 16, 1, 4, 0, 0, 0, 0)
    packed = zlib.compress(b"\0" + bytes(range(0x01, 0x100, 0x22)))
    (tmp_path / "four.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tRNS", b"\0\7")
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )
    four = read_picture(tmp_path / "four.png")
    assert same(four.pixels[0, :, 0], rows[0] * 17)
    assert four.alpha is not None and np.flatnonzero(four.alpha == 0).tolist() == [7]


@pytest.mark.parametrize(
    "kind", ["mm", "planar", "white", "premultiplied", "lzw", "half", "packbits8", "lzw8"]
)
def test_unusual_tiffs(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    array = noise(3, np.uint16)
    expected: np.ndarray = array
    alpha = None
    if kind == "mm":
        tifffile.imwrite(path, array, photometric="rgb", byteorder=">", compression="zlib", predictor=True)
    elif kind == "planar":
        tifffile.imwrite(path, array.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    elif kind == "white":
        tifffile.imwrite(path, array[:, :, 0], photometric="miniswhite")
        expected = 65535 - array[:, :, :1]
    elif kind == "premultiplied":
        alpha = np.where(array[:, :, 0] > 40000, np.uint16(0), np.uint16(32768))
        light = (array.astype(np.float64) * alpha[:, :, None] / 65535 + 0.5).astype(np.uint16)
        tifffile.imwrite(path, np.dstack([light, alpha]), photometric="rgb", extrasamples=["assocalpha"])
        expected = np.where(alpha[:, :, None] > 0, array, np.uint16(0))
    elif kind == "lzw":
        path.write_bytes(cv2.imencode(".tif", array[:, :, ::-1])[1].tobytes())
    elif kind == "half":
        expected = noise(3, np.float32).astype(np.float16).astype(np.float32)
        tifffile.imwrite(path, expected.astype(np.float16), photometric="rgb")
    else:
        expected = noise(3, np.uint8)
        Image.fromarray(expected).save(path, compression={"lzw8": "tiff_lzw"}.get(kind, "packbits"))
    picture = read_picture(path)
    assert same(picture.alpha, alpha)
    assert picture.pixels.dtype == expected.dtype
    error = np.abs(picture.pixels.astype(np.float64) - expected)
    assert error.max() <= (1 if kind == "premultiplied" else 0)


@pytest.mark.parametrize("ending", ["jpg", "tif", "tif16"])
def test_cmyk_stays_cmyk(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending[:3]}"
    inks = np.asarray(Image.fromarray(photo()).convert("CMYK")).copy()
    inks[:, :, 3] = 60
    if ending == "tif16":
        tifffile.imwrite(path, inks.astype(np.uint16) * 257, photometric="separated", iccprofile=b"profile")
    else:
        Image.fromarray(inks, mode="CMYK").save(
            path, icc_profile=b"profile", **({"quality": 95} if ending == "jpg" else {})
        )
    picture = read_picture(path)
    unit = 257 if ending == "tif16" else 1
    assert picture.mode == "CMYK" and picture.icc == b"profile" and picture.black is not None
    error = np.abs(picture.pixels.astype(int) // unit - (255 - inks[:, :, :3]))
    assert error.mean() < (2 if ending == "jpg" else 1e-9)
    write_picture(tmp_path / f"b.{ending[:3]}", picture)
    back = read_picture(tmp_path / f"b.{ending[:3]}")
    assert back.black is not None and back.mode == "CMYK" and back.icc == b"profile"
    assert np.abs(back.pixels.astype(int) - picture.pixels).mean() < (1.5 if ending == "jpg" else 1e-9)
    assert np.abs(back.black.astype(int) - picture.black).mean() < (1.5 if ending == "jpg" else 1e-9)
    with Image.open(tmp_path / f"b.{ending[:3]}") as image:
        assert image.mode == "CMYK"
        assert abs(np.asarray(image).mean((0, 1)) - inks.mean((0, 1))).max() < 1
    with pytest.raises(ImageError, match="CMYK"):
        write_picture(tmp_path / "c.png", picture)


def test_jpeg_is_as_fine_as_its_source_and_not_coarse(tmp_path: Path) -> None:
    def tables(name: str) -> tuple[list, int]:
        with Image.open(tmp_path / name) as image:
            return [np.array(image.quantization[i]) for i in (0, 1)], image.layer[0][1]

    Image.new("RGB", (8, 8)).save(tmp_path / "92.jpg", quality=92)
    Image.new("RGB", (8, 8)).save(tmp_path / "95.jpg", quality=95)
    for quality, subsampling in ((30, 2), (98, 0)):
        Image.fromarray(photo()).save(tmp_path / "in.jpg", quality=quality, subsampling=subsampling)
        picture = read_picture(tmp_path / "in.jpg")
        write_picture(tmp_path / "out.jpg", picture)
        wanted = tables("in.jpg" if quality == 98 else "92.jpg")[0]
        got, sampling = tables("out.jpg")
        assert np.array_equal(got, wanted) and sampling == (2 if subsampling else 1)
        again = read_picture(tmp_path / "out.jpg").pixels.astype(int)
        assert np.abs(again - picture.pixels).mean() < 2
    write_picture(tmp_path / "out.jpg", Picture(photo()))
    assert np.array_equal(tables("out.jpg")[0], tables("95.jpg")[0]) and tables("out.jpg")[1] == 1
    write_picture(tmp_path / "low.jpg", picture, quality=20)
    assert (tmp_path / "low.jpg").stat().st_size < (tmp_path / "out.jpg").stat().st_size / 3
    grey = replace(picture, pixels=picture.pixels[:, :, :1])
    write_picture(tmp_path / "grey.jpg", grey)
    assert read_picture(tmp_path / "grey.jpg").mode == "L"


def test_lossy_webp_stays_lossy_and_good(tmp_path: Path) -> None:
    Image.fromarray(photo()).save(tmp_path / "a.webp", quality=50)
    picture = read_picture(tmp_path / "a.webp")
    assert picture.lossless is False
    write_picture(tmp_path / "b.webp", picture)
    back = read_picture(tmp_path / "b.webp")
    assert back.lossless is False and 0 < np.abs(back.pixels.astype(int) - picture.pixels).mean() < 3


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    write_picture(tmp_path / "a.bmp", Picture(deep, icc=SRGB, exif=exif_block(), dpi=(72, 72)))
    rounded = read_picture(tmp_path / "a.bmp").pixels
    assert np.array_equal(rounded, np.floor(deep / 257 + 0.5))
    alpha = np.full((19, 26), 255, np.uint8)
    write_picture(tmp_path / "b.jpg", Picture(noise(3, np.uint8), alpha=alpha))  # opaque: nothing is lost
    alpha[0, 0] = 254
    with pytest.raises(ImageError, match=r"transparency(.|\n)*hint: write PNG"):
        write_picture(tmp_path / "c.jpg", Picture(noise(3, np.uint8), alpha=alpha))
    with pytest.raises(ImageError, match="floating"):
        write_picture(tmp_path / "d.png", Picture(noise(3, np.float32)))
    with pytest.raises(ImageError, match="alpha"):
        write_picture(tmp_path / "e.png", Picture(noise(3, np.uint8), alpha=alpha[1:]))
    with pytest.raises(UsageError, match="quality"):
        write_picture(tmp_path / "f.jpg", Picture(noise(3, np.uint8)), quality=0)
    with pytest.raises(UsageError, match="jpeg"):
        write_picture(tmp_path / "g", Picture(noise(3, np.uint8)), format="jpgg")
    big = replace(Picture(noise(3, np.uint8)), exif=exif_block() + bytes(70000), icc=bytes(3_000_000))
    for ending in ("jpg", "png", "webp", "tif", "gif", "ppm", "jp2", "avif"):
        write_picture(tmp_path / f"big.{ending}", big)
        write_picture(tmp_path / f"odd.{ending}", replace(big, exif=b"nonsense", icc=b"nonsense"))
    assert sorted(p.name for p in tmp_path.glob("[c-g].*")) == []


def test_gif_with_transparency(tmp_path: Path) -> None:
    alpha = np.zeros((19, 26), np.uint8)
    alpha[:, 9:] = 255
    write_picture(tmp_path / "a.gif", Picture(np.full((19, 26, 3), (250, 20, 90), np.uint8), alpha=alpha))
    back = read_picture(tmp_path / "a.gif")
    assert same(back.alpha, alpha)
    assert np.abs(back.pixels[:, 9:].astype(int) - (250, 20, 90)).max() <= 8


def test_gif_shows_what_is_half_visible(tmp_path: Path) -> None:
    alpha = np.full((8, 8), 128, np.uint8)
    alpha[0] = 127
    write_picture(tmp_path / "a.gif", Picture(np.full((8, 8, 3), (250, 20, 90), np.uint8), alpha=alpha))
    back = read_picture(tmp_path / "a.gif").alpha
    assert back is not None and (back[0] == 0).all() and (back[1:] == 255).all()


ODD_NAMES = [
    "with space.png",
    "grüße.png",
    "日本🙂.png",
    "line\nbreak.png",
    os.fsdecode(b"bad\xff\xfe.png"),
    "x" * 251 + ".png",
]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG2000"])
def test_odd_names(tmp_path: Path, name: str, format: str) -> None:
    write_picture(
        tmp_path / name, Picture(noise(3, np.uint16 if format != "JPEG2000" else np.uint8)), format=format
    )
    assert read_picture(tmp_path / name).format == format
    assert find_pictures(tmp_path) == [Path(name)]
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(ImageError) as caught:
        read_picture(tmp_path / name)
    str(caught.value).encode()  # can be printed anywhere


def test_find_pictures(tmp_path: Path) -> None:
    for name in (
        "b.JPG",
        "a.png",
        "sub/c.tiff",
        ".hidden.png",
        ".dir/x.png",
        "notes.txt",
        ".a.png.1a2b3c4d.partial",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    assert find_pictures(tmp_path) == [Path("a.png"), Path("b.JPG"), Path("sub/c.tiff")]
    assert find_pictures(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    with pytest.raises(UsageError, match="no such"):
        find_pictures(tmp_path / "absent")


def test_fill_under_alpha_takes_the_nearest_visible_colour() -> None:
    pixels, alpha = noise(3, np.uint8, (40, 50)), noise(1, np.uint8, (40, 50))[:, :, 0]
    alpha[alpha < 230] = 0
    before = pixels.copy()
    filled = fill_under_alpha(pixels, alpha)
    assert same(pixels, before) and same(filled[alpha > 0], pixels[alpha > 0])
    visible = np.argwhere(alpha > 0)
    for y, x in np.argwhere(alpha == 0)[::7]:
        squares = ((visible - (y, x)) ** 2).sum(1)
        nearest = visible[squares == squares.min()]
        assert any((filled[y, x] == pixels[a, b]).all() for a, b in nearest)
    assert same(put_back(pixels, filled, alpha), pixels)
    assert fill_under_alpha(pixels, np.full_like(alpha, 1)) is pixels
    assert fill_under_alpha(pixels, np.zeros_like(alpha)) is pixels
    # Farther than the exact part reaches, and across tiles.
    wide, hole = np.zeros((8, 2500, 3), np.uint8), np.zeros((8, 2500), np.uint8)
    wide[:, :100], wide[:, -100:], hole[:, :100], hole[:, -100:] = 50, 200, 9, 9
    filled = fill_under_alpha(wide, hole)
    assert (filled[:, :1200] == 50).all() and (filled[:, 1300:] == 200).all()


def test_pictures_above_pillows_limit_pass_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for ending in ("png", "jpg", "bmp", "tif", "webp", "gif"):
        Image.fromarray(noise(3, np.uint8, (12, 13))).save(tmp_path / f"a.{ending}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in sorted(tmp_path.iterdir()):
            assert read_picture(path).size == (13, 12)
    assert Image.MAX_IMAGE_PIXELS == 100
