"""Which files of a folder are pictures, and of what kind: their content tells, not their names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401
import pytest
import tifffile
from made import load, restore
from PIL import Image

from restore.errors import ImageError
from restore.files import read_picture, write_picture


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def kind_of(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.format)


@pytest.mark.parametrize("model", ["median", "nlm:sigma=0"])
def test_a_picture_is_written_in_its_own_format_whatever_its_name(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(noise(24, 24, 4)).save(folder / "transparent.jpg", "PNG")
    Image.fromarray(noise(24, 24).astype(np.uint16) * 257).save(folder / "deep.jpg", "PNG")
    Image.fromarray(noise(24, 24, 4), "CMYK").save(folder / "inks.png", "JPEG")
    Image.fromarray(noise(24, 24, 3)).save(folder / "web.tif", "WEBP")
    Image.fromarray(noise(24, 24, 3)).save(folder / "scan.bmp", "TIFF")
    result = restore(folder, tmp_path / "out", model=model)
    assert not result.failed and len(result.done) == 5
    for path in sorted(folder.iterdir()):
        assert kind_of(tmp_path / "out" / path.name) == kind_of(path)
        before, after = read_picture(path), read_picture(tmp_path / "out" / path.name)
        assert (before.pixels.dtype, before.alpha is None) == (after.pixels.dtype, after.alpha is None)
        assert (before.black is None) == (after.black is None)
    assert np.array_equal(
        load(tmp_path / "out/transparent.jpg")[..., 3], load(folder / "transparent.jpg")[..., 3]
    )


DNG = [
    (50706, 1, 4, bytes([1, 4, 0, 0]), True),
    (50707, 1, 4, bytes([1, 1, 0, 0]), True),
    (50708, 2, 0, "Some camera", True),
    (33421, 3, 2, (2, 2), True),
    (33422, 1, 4, bytes([0, 1, 1, 2]), True),
    (50721, 10, 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
    (50717, 3, 1, 4095, True),
    (50778, 3, 1, 21, True),
    (50728, 5, 3, (1, 2, 1, 1, 1, 2), True),
    (315, 2, 0, "me", True),
]


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """What a phone's folder holds: pictures of many kinds, and files that are none."""
    folder = tmp_path / "phone"
    folder.mkdir()
    y, x = np.mgrid[0:48, 0:64]
    image = Image.fromarray(np.stack([x * 3, y * 4, x + y], 2).astype(np.uint8))
    exif = Image.Exif()
    exif[315] = "me"
    image.save(folder / "IMG_1.JPG", exif=exif)
    pillow_heif.from_pillow(image).save(folder / "IMG_1.HEIC", quality=95, exif=exif.tobytes())
    image.save(folder / "b.jxl", lossless=True, exif=exif.tobytes())
    image.save(folder / "c.avif")
    image.save(folder / "d.mpo", "MPO", save_all=True, append_images=[image])
    image.save(folder / "noending", "PNG")
    image.save(folder / "e.jpg_original", "JPEG")
    tifffile.imwrite(
        folder / "P1.DNG", (x + y).astype(np.uint16) * 16, photometric=32803, extratags=DNG, metadata=None
    )
    (folder / "f.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(50))
    (folder / "g.psd").write_bytes(b"8BPS" + bytes(60))
    image.save(folder / "h.tga")
    (folder / "cut.heic").write_bytes((folder / "IMG_1.HEIC").read_bytes()[:600])
    (folder / "fake.dng").write_bytes(b"II*\0" + bytes(100))
    (folder / "notes.txt").write_text("P1 is a kind of picture, but this is not one")
    (folder / "notes.xmp").write_text("<x/>")
    (folder / "README").write_text("nothing")
    return folder


BAD = {"cut.heic", "f.exr", "fake.dng", "g.psd", "h.tga"}
READ_ONLY = {"IMG_1.HEIC", "P1.DNG", "b.jxl"}


def test_every_picture_is_restored_or_named_and_the_rest_counted(phone: Path, tmp_path: Path) -> None:
    result = restore(phone, tmp_path / "out", model="median")
    failed = {o.file: o for o in result.failed}
    assert set(failed) == BAD | READ_ONLY and all(o.reason for o in result.failed)
    assert all("--format" in str(failed[name].hint) for name in READ_ONLY)
    assert {o.file for o in result.done} == {"IMG_1.JPG", "c.avif", "d.mpo", "e.jpg_original", "noending"}
    assert kind_of(tmp_path / "out/noending") == "PNG" and kind_of(tmp_path / "out/e.jpg_original") == "JPEG"
    assert result.others == {"": 1, ".txt": 1, ".xmp": 1}
    assert any("3 other files" in note for note in result.notes())
    told = result.to_json()
    assert told["others"] == result.others
    assert {f["file"]: f["hint"] for f in told["failed"]} == {o.file: o.hint for o in result.failed}
    (mpo,) = [o for o in told["done"] if o["file"] == "d.mpo"]
    assert mpo["left_out"] == ["1 further picture (MPO)"]


@pytest.mark.parametrize("format", ["png", "tiff", "jpeg"])
def test_kinds_that_are_read_only_are_written_on_request(phone: Path, tmp_path: Path, format: str) -> None:
    result = restore(phone, tmp_path / "out", model="median", format=format)
    ending = {"png": ".png", "tiff": ".tif", "jpeg": ".jpg"}[format]
    assert {o.file for o in result.failed} == BAD
    written = {o.file: tmp_path / "out" / o.output for o in result.done}
    assert set(written) >= READ_ONLY and all(path.exists() for path in written.values())
    assert len(set(written.values())) == len(written)  # a HEIC beside a JPEG of its name
    assert written["b.jxl"].name == f"b{ending}"
    before = read_picture(phone / "noending").pixels.astype(float)
    for name in ("IMG_1.HEIC", "b.jxl"):
        with Image.open(written[name]) as image:
            assert image.getexif()[315] == "me"
        assert np.abs(read_picture(written[name]).pixels - before).mean() < 6
    raw = read_picture(written["P1.DNG"])
    assert raw.size == (64, 48) and raw.pixels.dtype == (np.uint8 if format == "jpeg" else np.uint16)


@pytest.mark.parametrize(
    ("file", "module", "package"),
    [
        ("IMG_1.HEIC", "pillow_heif", "pillow-heif"),
        ("b.jxl", "pillow_jxl", "pillow-jxl-plugin"),
        ("P1.DNG", "rawpy", "rawpy"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(
    phone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = restore(phone, tmp_path / "out", model="median", format="png")
    failed = {o.file: o for o in result.failed}
    assert package in failed[file].reason and f"pip install {package}" in str(failed[file].hint)


def test_what_an_earlier_run_wrote_into_the_input_is_no_input(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        Image.fromarray(noise(12, 12, 3)).save(folder / name)
    restore(folder, folder / "done", model="median")
    Image.fromarray(noise(12, 12, 3)).save(folder / "done/mine.png")
    result = restore(folder, tmp_path / "out", model="median")
    assert {o.file for o in result.done} == {"a.png", "sub/b.png", "done/mine.png"}
    assert result.earlier == 2 and any("2 pictures" in note for note in result.notes())
    chained = restore(folder / "done", tmp_path / "again", model="median")  # asked for by name
    assert len(chained.done) == 3 and chained.earlier == 0


def test_pictures_too_large_are_refused_before_they_are_decoded(phone: Path) -> None:
    for name in ("IMG_1.HEIC", "b.jxl", "P1.DNG"):
        with pytest.raises(ImageError, match="megapixels"):
            read_picture(phone / name, max_megapixels=0.001)


def test_floats_of_another_scale_are_refused_or_read_by_what_the_file_says(tmp_path: Path) -> None:
    floats = noise(16, 16, 3).astype(np.float32)
    tifffile.imwrite(tmp_path / "plain.tif", floats, photometric="rgb")
    with pytest.raises(ImageError, match=r"expected floating values in \[0, 1\]") as caught:
        read_picture(tmp_path / "plain.tif")
    assert "divide" in str(caught.value.hint)
    tifffile.imwrite(
        tmp_path / "told.tif", floats, photometric="rgb", extratags=[(341, "f", 3, (255.0,) * 3, True)]
    )
    tifffile.imwrite(
        tmp_path / "imagej.tif", floats[..., 0], imagej=True, metadata={"min": 0.0, "max": 255.0}
    )
    for name in ("told.tif", "imagej.tif"):
        picture = read_picture(tmp_path / name)
        assert picture.pixels.max() <= 1 and picture.white == 255
        write_picture(tmp_path / f"again-{name}", picture)
        assert np.allclose(
            tifffile.imread(tmp_path / f"again-{name}"), tifffile.imread(tmp_path / name), rtol=1e-6
        )
    unclipped = np.random.default_rng(0).normal(0.5, 1, (64, 64)).astype(np.float32)
    tifffile.imwrite(tmp_path / "noisy.tif", unclipped)
    assert np.array_equal(read_picture(tmp_path / "noisy.tif").pixels[..., 0], unclipped)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_signed_samples_are_refused(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.arange(-50, 50).reshape(10, 10).astype(dtype))
    with pytest.raises(ImageError, match="signed"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["array", "tensor", "batch", "double"])
def test_arrays_and_tensors_of_another_scale_are_refused(kind: str) -> None:
    import torch

    import restore as package

    array = noise(16, 16, 3).astype(np.float32)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    given = {"array": array, "tensor": tensor, "batch": tensor[None], "double": array.astype(np.float64)}[
        kind
    ]
    net = package.load("median")
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        net(given)
    net(given / 255)
    net(given / 255 * 4 - 1)  # unclipped noise stays allowed
