"""Broken, dangerous and unwanted files are refused in one sentence; a failed write leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin
from skimage.data import astronaut

from restore.errors import ImageError
from restore.files import Picture, atomic_write, find_pictures, read_picture, write_picture

PHOTO = np.ascontiguousarray(astronaut()[40:160, 160:310])


def encoded(format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, format, **options)
    return file.getvalue()


def encoded16(ending: str) -> bytes:
    if ending == ".tif":
        file = io.BytesIO()
        tifffile.imwrite(file, PHOTO.astype(np.uint16) * 257, compression="zlib")
        return file.getvalue()
    return cv2.imencode(ending, PHOTO.astype(np.uint16) * 257)[1].tobytes()


WHOLE = {
    "png": lambda: encoded("PNG"),
    "png16": lambda: encoded16(".png"),
    "jpeg": lambda: encoded("JPEG"),
    "jpeg progressive": lambda: encoded("JPEG", progressive=True),
    "webp": lambda: encoded("WEBP"),
    "webp lossless": lambda: encoded("WEBP", lossless=True),
    "tiff": lambda: encoded("TIFF"),
    "tiff lzw": lambda: encoded("TIFF", compression="tiff_lzw"),
    "tiff16": lambda: encoded16(".tif"),
    "tiff16 lzw": lambda: cv2.imencode(".tif", PHOTO.astype(np.uint16) * 257)[1].tobytes(),
    "bmp": lambda: encoded("BMP"),
    "gif": lambda: encoded("GIF"),
    "ppm": lambda: encoded("PPM"),
    "ppm16": lambda: encoded16(".ppm"),
    "jpeg2000": lambda: encoded("JPEG2000"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_cut_file_is_refused_and_never_half_read(tmp_path: Path, kind: str) -> None:
    data, path = WHOLE[kind](), tmp_path / "a.bin"
    path.write_bytes(data)
    whole = read_picture(path).pixels
    for keep in (0.002, 0.05, 0.5, 0.9, 1 - 40 / len(data), 1 - 2 / len(data)):
        path.write_bytes(data[: int(len(data) * keep)])
        try:
            pixels = read_picture(path).pixels
        except ImageError as error:
            assert str(path) in error.message and "\n" not in error.message
            continue
        assert keep > 0.95 and np.array_equal(pixels, whole), f"{keep:g} of the file gave other pixels"


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_cut_file_with_a_proper_end_is_refused(tmp_path: Path, kind: str, keep: float) -> None:
    data = WHOLE[kind]()
    cut = data[: int(len(data) * keep)]
    ends = {"jpeg": b"\xff\xd9", "png": bytes(len(data) - len(cut))}
    (tmp_path / "a").write_bytes(cut + ends[kind])
    with pytest.raises(ImageError):
        read_picture(tmp_path / "a")


def test_a_jpeg_that_is_mid_grey_is_no_cut_one(tmp_path: Path) -> None:
    array = PHOTO.copy()
    array[60:] = 128
    Image.fromarray(array).save(tmp_path / "a.jpg", quality=95)
    assert abs(int(read_picture(tmp_path / "a.jpg").pixels[-1, -1, 0]) - 128) <= 1


def animated(format: str) -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(PHOTO), Image.fromarray(PHOTO[::-1].copy())]
    frames[0].save(file, format, save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def two_channels_unnamed() -> bytes:
    file = io.BytesIO()
    array = np.dstack([PHOTO.astype(np.uint16), PHOTO[:, :, :1]])
    tifffile.imwrite(file, array, photometric="rgb", extrasamples=["unspecified"])
    return file.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


REFUSED = [
    ("empty", lambda: b"", "empty"),
    ("text", lambda: b"This is not a picture, whatever its name says.\n" * 9, "not a picture"),
    ("html", lambda: b"<html><body>404</body></html>", "not a picture"),
    ("heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
    ("only a png signature", lambda: b"\x89PNG\r\n\x1a\n", "damaged|cut off"),
    ("gigapixels", lambda: png_header(60000, 60000), "3600 megapixels"),
    ("gif animation", lambda: animated("GIF"), "animated"),
    ("webp animation", lambda: animated("WEBP"), "animated"),
    ("png animation", lambda: animated("PNG"), "animated"),
    ("pages", lambda: animated("TIFF"), "several pages"),
    ("deep pages", lambda: tiff(np.stack([PHOTO.astype(np.uint16)] * 2), photometric="rgb"), "several pages"),
    ("unnamed channel", two_channels_unnamed, "extra channel"),
    ("32-bit integers", lambda: tiff(PHOTO[:, :, 0].astype(np.uint32)), "8 or 16-bit"),
    ("lab", lambda: tiff(PHOTO, photometric="cielab"), "expected grey, RGB, CMYK"),
]


@pytest.mark.parametrize(
    ("content", "reason"), [(c, r) for _, c, r in REFUSED], ids=[n for n, _, _ in REFUSED]
)
def test_refused_with_the_reason(
    tmp_path: Path, content: Any, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content())
    with pytest.raises(ImageError, match=reason) as caught:
        read_picture(path)
    assert repr(str(path)) in caught.value.message and "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_what_is_not_a_readable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, reason in (
        (tmp_path / "no.png", "no such file"),
        (tmp_path, "directory"),
        (Path("/dev/null"), "regular"),
    ):
        with pytest.raises(ImageError, match=reason):
            read_picture(path)

    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="regular"):
        read_picture(tmp_path / "pipe.png")
    (tmp_path / "a.png").touch()

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch, pytest.raises(ImageError, match="permission denied"):
        patch.setattr(Path, "open", denied)
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_interrupts_and_exhausted_memory_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise kind

    old = tmp_path / "a.png"
    write_picture(old, Picture(PHOTO))
    with monkeypatch.context() as patch, pytest.raises(kind):
        patch.setattr(PngImagePlugin.PngImageFile, "load", fail)
        read_picture(old)
    with monkeypatch.context() as patch, pytest.raises(kind):
        patch.setattr(Image.Image, "save", fail)
        write_picture(old, Picture(PHOTO[::-1].copy()))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"] and np.array_equal(
        read_picture(old).pixels, PHOTO
    )


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    write_picture(path, Picture(PHOTO))
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ImageError, match=r"no space left(.|\n)*hint: free some space") as caught:
            write_picture(path, Picture(PHOTO[::-1].copy()))
    assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.ENOSPC
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_atomic_write(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    mask = os.umask(0o027)
    try:
        with atomic_write(path) as temporary:
            assert temporary.parent == tmp_path and temporary.name.startswith(".a.txt.")
            assert temporary.name.endswith(".partial") and temporary.exists() and not path.exists()
            assert find_pictures(tmp_path) == []
            temporary.write_text("one")
    finally:
        os.umask(mask)
    assert path.read_text() == "one" and path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(ZeroDivisionError), atomic_write(path) as temporary:
        temporary.write_text("two")
        raise ZeroDivisionError
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]
    for where, reason in ((tmp_path / "no" / "b", "no such file"), (tmp_path, "directory")):
        with pytest.raises(ImageError, match=reason), atomic_write(where):
            raise AssertionError("must not come here")
    with pytest.raises(ImageError, match="JPEG does not take it"):
        write_picture(tmp_path / "wide.jpg", Picture(np.zeros((1, 70000, 3), np.uint8)))
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_files_print_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import warnings

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[271], exif[305] = "maker", "software"
    for kind, options in (
        ("TIFF", {"exif": exif}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("JPEG", {"exif": exif}),
        ("PNG", {"exif": exif}),
    ):
        image.save(tmp_path / "whole", kind, **options)
        data = (tmp_path / "whole").read_bytes()
        for _ in range(60):
            damaged = bytearray(data)
            for at in rng.integers(0, len(data), 6):
                damaged[at] = rng.integers(256)
            (tmp_path / "damaged").write_bytes(damaged)
            with warnings.catch_warnings(record=True) as said, contextlib.suppress(ImageError):
                warnings.simplefilter("always")
                read_picture(tmp_path / "damaged")
            assert not said, said[0].message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_colour_tiff_of_two_samples_is_refused(tmp_path: Path, dtype: type) -> None:
    grey = np.zeros((9, 8, 2), dtype)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="minisblack", planarconfig="contig", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags[262].overwrite(2)  # says RGB
        if 338 in tiff.pages[0].tags:
            tiff.pages[0].tags[338].overwrite(2)
    with pytest.raises(ImageError, match="cannot read"):
        read_picture(tmp_path / "a.tif")


def test_a_deep_png_with_two_headers_is_refused_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "a.png", Picture(np.zeros((9, 8, 3), np.uint16)))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:33] + data[8:])
    with pytest.raises(ImageError, match="damaged"):
        read_picture(tmp_path / "a.png")
    assert capfd.readouterr() == ("", "")
