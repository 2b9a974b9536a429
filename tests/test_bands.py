"""Pictures too large to be held: band by band, bit for bit what they would be in one piece."""

import io
import resource

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from restore.errors import ImageError, RestoreError
from restore.files import Picture, large, png16, read_picture, write_picture
from restore.files.encode_rows import RowWriter
from restore.files.large import open_large, read_any, unpacked
from restore.folder import restore_folder
from restore.folder.manifest import NAME
from restore.tools.main import app

H, W = 230, 310


@pytest.fixture
def bands(monkeypatch):
    """Everything above ten thousand pixels goes by bands."""
    monkeypatch.setattr(large, "HELD_MEGAPIXELS", 0.01)


def noisy(dtype=np.uint8, channels=3, seed=0):
    y, x = np.mgrid[0:H, 0:W]
    smooth = np.stack([x * 0.6, y * 0.8, (x + y) * 0.4], 2)[:, :, :channels]
    values = (smooth + np.random.default_rng(seed).normal(0, 20, smooth.shape)).clip(0, 255)
    return (values * 257).astype(np.uint16) if dtype == np.uint16 else values.astype(np.uint8)


def both_ways(tmp_path, monkeypatch, **options):
    """The folder ``in`` restored whole and by bands: the second result and both folders."""
    whole, banded = tmp_path / "whole", tmp_path / "banded"
    assert not restore_folder(tmp_path / "in", whole, **options).failed
    with monkeypatch.context() as patch:
        patch.setattr(large, "HELD_MEGAPIXELS", 0.01)
        patch.setattr("restore.folder.restore.restore_picture", None)
        result = restore_folder(tmp_path / "in", banded, **options)
    assert not [(outcome.file, outcome.reason) for outcome in result.failed]
    return result, whole, banded


@pytest.mark.parametrize(
    "options",
    [
        {"model": "median"},
        {"model": "median", "tile": 32},
        {"model": "nlm", "tile": 96, "strength": 0.4},
        {"model": "denoise", "tile": 64},
        {"model": "dejpeg", "tile": 128},
    ],
    ids=str,
)
def test_bands_equal_the_whole(tmp_path, monkeypatch, options):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", Picture(noisy()))
    write_picture(tmp_path / "in" / "grey.tif", Picture(noisy(channels=1)))
    if options["model"] != "dejpeg":
        write_picture(tmp_path / "in" / "deep.tif", Picture(noisy(np.uint16)))
        write_picture(tmp_path / "in" / "deep.png", Picture(noisy(np.uint16, 1)))
    result, whole, banded = both_ways(tmp_path, monkeypatch, **options)
    for outcome in result.done:
        a, b = read_picture(whole / outcome.output), read_picture(banded / outcome.output)
        assert a.pixels.dtype == b.pixels.dtype and np.array_equal(a.pixels, b.pixels), outcome.file
        assert outcome.changed and (a.format, a.mode) == (b.format, b.mode)


def test_a_jpeg_by_bands(tmp_path, monkeypatch):
    """From JPEG the pixels are the same; to JPEG they are coded as finely, with everything that belongs to them."""
    (tmp_path / "in").mkdir()
    icc = b"profile" * 30
    exif = Image.Exif()
    exif[271] = "maker"
    for subsampling in (0, 2):
        write_picture(
            tmp_path / "in" / f"{subsampling}.jpg",
            Picture(
                noisy(), format="JPEG", subsampling=subsampling, icc=icc, dpi=(300, 300), exif=exif.tobytes()
            ),
            quality=95,
        )
    _, whole, banded = both_ways(tmp_path, monkeypatch, model="median", format="png")
    for name in ("0.png", "2.png"):
        assert np.array_equal(read_picture(whole / name).pixels, read_picture(banded / name).pixels)
    (tmp_path / "as jpeg").mkdir()
    (tmp_path / "in").rename(tmp_path / "as jpeg" / "in")
    _, whole, banded = both_ways(tmp_path / "as jpeg", monkeypatch, model="median")
    for name in ("0.jpg", "2.jpg"):
        a, b = read_picture(whole / name), read_picture(banded / name)
        assert (a.icc, a.dpi, a.exif, a.subsampling) == (b.icc, b.dpi, b.exif, b.subsampling)
        assert a.icc == icc and b.exif
        assert np.abs(a.pixels.astype(int) - b.pixels).mean() < 1
        assert sum(map(sum, b.tables)) <= 1.2 * sum(map(sum, a.tables))


def test_what_is_not_changed_is_copied(tmp_path, bands):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.jpg", Picture(noisy()))
    result = restore_folder(tmp_path / "in", tmp_path / "out", model="identity")
    assert not result.done[0].changed
    assert (tmp_path / "out" / "a.jpg").read_bytes() == (tmp_path / "in" / "a.jpg").read_bytes()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.jpg", NAME}


def progressive(path):
    Image.fromarray(noisy()).save(path, "JPEG", progressive=True)


def turned(path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(noisy()).save(path, "JPEG", exif=exif)


REFUSED = {
    "alpha.png": lambda path: write_picture(path, Picture(noisy(), noisy()[:, :, 0])),
    "alpha.tif": lambda path: write_picture(path, Picture(noisy(), noisy()[:, :, 0])),
    "cmyk.jpg": lambda path: write_picture(path, Picture(noisy(), black=noisy()[:, :, 0])),
    "progressive.jpg": progressive,
    "turned.jpg": turned,
    "a.webp": lambda path: write_picture(path, Picture(noisy())),
    "a.bmp": lambda path: write_picture(path, Picture(noisy())),
    "cut.png": lambda path: (
        write_picture(path, Picture(noisy())),
        path.write_bytes(path.read_bytes()[:50_000]),
    ),
    "cut.tif": lambda path: (
        write_picture(path, Picture(noisy())),
        path.write_bytes(path.read_bytes()[:50_000]),
    ),
    "cut.jpg": lambda path: (
        write_picture(path, Picture(noisy())),
        path.write_bytes(path.read_bytes()[:20_000]),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_by_bands_is_refused_in_words(tmp_path, bands, name):
    (tmp_path / "in").mkdir()
    REFUSED[name](tmp_path / "in" / name)
    result = restore_folder(tmp_path / "in", tmp_path / "out", model="median")
    assert len(result.failed) == 1 and "Error" not in result.failed[0].reason
    assert {path.name for path in (tmp_path / "out").iterdir()} == {NAME}
    if not name.startswith("cut"):  # who asks for it gets it held, as before
        held = restore_folder(tmp_path / "in", tmp_path / "out", model="median", max_megapixels=1)
        assert len(held.done) == 1


@pytest.mark.parametrize("model", ["auto", "gamma", "bicubic:scale=2", "dcp"])
def test_restorers_that_hold_the_picture_are_refused_in_words(tmp_path, bands, model):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", Picture(noisy()))
    result = restore_folder(tmp_path / "in", tmp_path / "out", model=model)
    assert "has to hold the whole picture" in result.failed[0].reason
    assert {path.name for path in (tmp_path / "out").iterdir()} == {NAME}


def test_formats_that_are_not_written_by_bands_are_refused_in_words(tmp_path, bands):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", Picture(noisy()))
    result = restore_folder(tmp_path / "in", tmp_path / "out", model="median", format="webp")
    assert "band by band" in result.failed[0].reason


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_full_disk_leaves_nothing_and_a_second_run_completes(tmp_path, bands, share, suffix):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / f"a{suffix}", Picture(noisy()))
    whole = restore_folder(tmp_path / "in", tmp_path / "reference", model="median")
    size = (tmp_path / "reference" / f"a{suffix}").stat().st_size
    room = int(size * share) if suffix != ".jpg" else int(H * W * 3 * share)  # the rows unpacked are larger
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        result = restore_folder(tmp_path / "in", tmp_path / "out", model="median")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert len(result.failed) == 1 and "too large" in result.failed[0].reason.lower()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {NAME}
    again = restore_folder(tmp_path / "in", tmp_path / "out", model="median")
    assert len(again.done) == len(whole.done) == 1
    a, b = (tmp_path / folder / f"a{suffix}" for folder in ("out", "reference"))
    assert a.read_bytes() == b.read_bytes()


def test_a_full_disk_while_a_file_is_written(tmp_path):
    """The rows fit, the file does not: the writer says so, and no thread is left waiting."""
    write_picture(tmp_path / "a.png", Picture(noisy()))
    found = open_large(tmp_path / "a.png")
    for kind in ("PNG", "TIFF", "JPEG"):
        with unpacked(found, tmp_path) as scratch:
            (tmp_path / "out").touch()
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
            try:
                with pytest.raises((OSError, ImageError)):
                    writer = RowWriter(tmp_path / "out", found.about, kind, found.shape)
                    for top in range(0, H, 10):
                        writer.write(scratch.read(top, top + 10, 0, W))
                    writer.finish()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            writer.drop()


def test_the_limit_is_an_option_that_exists(tmp_path, bands, monkeypatch):
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", Picture(noisy()))
    with pytest.raises(ImageError) as told:
        read_picture(tmp_path / "in" / "a.png", max_megapixels=0.05)
    assert "--max-megapixels" in told.value.hint
    call = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-m", "median", "--max-megapixels"]
    refused = CliRunner().invoke(app, [*call, "0.05"])
    assert refused.exit_code == 1 and "expected at most 0.05" in refused.output
    assert CliRunner().invoke(app, [*call, "0.1"]).exit_code == 0
    other = [
        "degrade",
        str(tmp_path / "in"),
        "-o",
        str(tmp_path / "d"),
        "-d",
        "noise:sigma=5",
        "--max-megapixels",
    ]
    assert CliRunner().invoke(app, [*other, "0.05"]).exit_code == 1
    assert CliRunner().invoke(app, [*other, "0.1"]).exit_code == 0
    with pytest.raises(RestoreError, match="expected at most"):
        read_any(tmp_path / "in" / "a.png", 0.05)


@pytest.mark.parametrize("level", [0, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_from_bands_of_any_height(tmp_path, level, dtype, channels):
    rng = np.random.default_rng(1)
    array = rng.integers(0, np.iinfo(dtype).max, (41, 23, channels), dtype=dtype, endpoint=True)
    cuts = [array[:1], array[1:8], array[8:40], array[40:]]
    data = b"".join(png16.png_parts(cuts, array.shape, array.dtype, [], level=level))
    (tmp_path / "a.png").write_bytes(data)
    read = read_picture(tmp_path / "a.png")
    parts = [read.pixels] + ([] if read.alpha is None else [read.alpha[:, :, None]])
    assert np.array_equal(np.concatenate(parts, 2), array)
    if dtype == np.uint8:
        assert Image.open(io.BytesIO(data)).size == (23, 41)
