"""Small files that ask for much: refused at the header, or read within what their pixels need."""

import io
import resource
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from restore.errors import ImageError
from restore.files import Picture, limits, picture_size, read_picture, rows, write_picture
from restore.files.jpeg_check import read_structure

SIDE = 19990  # 399.6 megapixels


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, *, depth=8, colour=2, extra=b"", data=None, interlaced=0):
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if data is None:
        data = zlib.compress(bytes(((width * samples * depth + 7) // 8 + 1) * height), 1)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )  # fmt: skip


def coded(kind, size=(64, 64), mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, options.pop("color", 0)).save(file, kind, **options)
    return bytearray(file.getvalue())


def claim(jpeg, marker, width=SIDE, height=SIDE):
    at = jpeg.find(marker)
    struct.pack_into(">HH", jpeg, at + 5, height, width)
    return bytes(jpeg)


def more_scans(times):
    jpeg = bytes(coded("JPEG", (1600, 1600), progressive=True))
    last = jpeg.rfind(b"\xff\xda")
    return jpeg[:-2] + jpeg[jpeg.rfind(b"\xff\xc4", 0, last) : -2] * times + b"\xff\xd9"


def jpeg2000(change=None, size=(64, 64), **options):
    stream = coded("JPEG2000", size, no_jp2=True, **options)
    if change is not None:
        change(stream, stream.find(b"\xff\x51"), stream.find(b"\xff\x52"))
    return bytes(stream)


def claim_tile(stream, siz, cod):
    for place in (4, 20):
        struct.pack_into(">II", stream, siz + 2 + place, SIDE, SIDE)


def claim_size(stream, siz, cod):
    struct.pack_into(">II", stream, siz + 6, SIDE, SIDE)


def many_layers(stream, siz, cod):
    struct.pack_into(">H", stream, cod + 6, 65535)


def tiny_precincts(stream, siz, cod):
    (size,) = struct.unpack_from(">H", stream, cod + 2)
    levels = stream[cod + 9]
    stream[cod + 4] |= 1
    struct.pack_into(">H", stream, cod + 2, size + levels + 1)
    stream[cod + 2 + size : cod + 2 + size] = bytes(levels + 1)


def tiff(entries, tail):
    """Entries (tag, type, count, value); a value in a tuple counts from where ``tail`` begins."""
    at = 8 + 2 + 12 * len(entries) + 4
    made = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, kind, count, value in sorted(entries, key=lambda entry: entry[0]):
        value = at + value[0] if isinstance(value, tuple) else value
        made += struct.pack("<HHI", tag, kind, count)
        made += struct.pack("<HH", value, 0) if kind == 3 and count == 1 else struct.pack("<I", value)
    return made + struct.pack("<I", 0) + tail


def plain_tiff(width, height, bits, compression, tail, *more, drop=()):
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, compression), (262, 3, 1, 1),
        (273, 4, 1, (0,)), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(tail)), *more,
    ]  # fmt: skip
    return tiff([entry for entry in entries if entry[0] not in drop], tail)


def chain(count, *, loop=False):
    made = bytearray(b"II*\0" + struct.pack("<I", 8))
    for index in range(count):
        following = len(made) + 18 if index < count - 1 else 8 if loop else 0
        made += struct.pack("<HHHIII", 1, 254, 4, 1, 1 if index else 0, following)
    return bytes(made)


def tiles(bits):
    place = [(322, 4, 1, 40000), (323, 4, 1, 40000), (324, 4, 1, (0,)), (325, 4, 1, 100)]
    return plain_tiff(16, 16, bits, 8, zlib.compress(bytes(1 << 20)), *place, drop=(273, 278, 279))


MEGABYTES = 64 << 20
DEFLATED = zlib.compress(bytes(MEGABYTES * 4), 1)
LOSSLESS_WEBP = coded("WEBP", (40, 40), lossless=True)

BOMBS = {
    "a JPEG header over data of another": lambda: claim(coded("JPEG"), b"\xff\xc0"),
    "progressive, the same": lambda: claim(coded("JPEG", progressive=True), b"\xff\xc2"),
    "arithmetic, the same": lambda: claim(coded("JPEG"), b"\xff\xc0").replace(b"\xff\xc0", b"\xff\xc9"),
    "progressive with a megabyte of junk": lambda: claim(
        coded("JPEG", progressive=True)[:-2] + b"\x55" * 1_000_000 + b"\xff\xd9", b"\xff\xc2"
    ),
    "two thousand scans": lambda: more_scans(2000),
    "a hundred thousand segments": lambda: bytes(coded("JPEG")[:2]) + b"\xff\xe9\0\2" * 100_000,
    "JPEG 2000 in one tile": lambda: jpeg2000(claim_tile),
    "JPEG 2000 in many tiles": lambda: jpeg2000(claim_size),
    "JPEG 2000 with 65535 layers": lambda: jpeg2000(many_layers, (512, 512)),
    "JPEG 2000 with precincts of one pixel": lambda: jpeg2000(tiny_precincts, (512, 512)),
    "JPEG 2000 in boxes": lambda: bytes(coded("JPEG2000")).replace(
        struct.pack(">4I", 64, 64, 0, 0), struct.pack(">4I", SIDE, SIDE, 0, 0)
    ),
    "tiny PNG chunks": lambda: png(8, 8, extra=chunk(b"tEXt", b"a\0b") * 100_000),
    "tiny pixel chunks": lambda: png(8, 8, extra=chunk(b"IDAT", b"") * 100_000),
    "a PNG header over data of another": lambda: png(SIDE, SIDE, data=zlib.compress(bytes(200))),
    "an interlaced PNG": lambda: png(SIDE, SIDE, data=bytes(1_200_000), interlaced=1),
    "16-bit strip of zeros": lambda: plain_tiff(64, 64, 16, 8, DEFLATED),
    "8-bit strip of zeros": lambda: plain_tiff(64, 64, 8, 8, DEFLATED),
    "tiles larger than the picture": lambda: tiles(16),
    "8-bit tiles larger than the picture": lambda: tiles(8),
    "more rows than bytes": lambda: plain_tiff(SIDE, SIDE, 16, 1, bytes(1000)),
    "deflated rows, more than bytes": lambda: plain_tiff(SIDE, SIDE, 8, 8, zlib.compress(bytes(1000))),
    "directories without end": lambda: chain(50_000),
    "directories in a circle": lambda: chain(3, loop=True),
    "tags that overlap": lambda: plain_tiff(
        64, 64, 16, 1, bytes(200_000), *((40000 + i, 7, 190_000, (0,)) for i in range(3000))
    ),
    "a tag of 2^28 values": lambda: plain_tiff(64, 64, 16, 1, bytes(8192), (273, 4, 1 << 28, 8), drop=(273,)),
    "BigTIFF with 2^50 tags": lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1 << 50) + bytes(99),
    "a GIF of 35 bytes": lambda: (
        b"GIF89a" + struct.pack("<HHBBB", 65535, 6000, 0xF0, 0, 0) + b"\0\0\0\xff\xff\xff,"
        + struct.pack("<HHHHB", 0, 0, 65535, 6000, 0) + b"\x02\x02L\x01\0;"
    ),
    "a BMP in runs": lambda: (
        b"BM" + struct.pack("<IHHI", 100, 0, 0, 54 + 1024)
        + struct.pack("<IiiHHIIiiII", 40, SIDE, 19500, 1, 8, 1, 6, 0, 0, 256, 0) + bytes(1024) + b"\xff\0\0\0\0\1"
    ),
    "a PPM header": lambda: f"P6 {SIDE} {SIDE} 255\n".encode() + bytes(100),
    "a deep PPM header": lambda: f"P6 {SIDE} {SIDE} 65535\n".encode() + bytes(100),
}  # fmt: skip

# What matters less than the picture may be left out, as long as it costs nothing.
BESIDE = {
    "a compressed profile": lambda: png(8, 8, extra=chunk(b"iCCP", b"a\0\0" + DEFLATED)),
    "a compressed text": lambda: png(8, 8, extra=chunk(b"zTXt", b"a\0\0" + DEFLATED)),
    "many compressed texts": lambda: png(
        8, 8, extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000))) * 200
    ),
    "more pixel data than pixels": lambda: png(8, 8, data=DEFLATED),
    "deep, the same": lambda: png(8, 8, depth=16, data=DEFLATED),
    "EXIF tags that overlap": lambda: png(8, 8, extra=chunk(b"eXIf", exif(3000, 7, 190_000, bytes(200_000)))),
    "a long EXIF tag": lambda: png(8, 8, extra=chunk(b"eXIf", exif(1, 5, 500_000, bytes(4_000_000)))),
    "the same in a TIFF": lambda: exif(1, 5, 500_000, bytes(4_000_000), pixels=True),
}  # fmt: skip


def exif(count, kind, number, tail, *, pixels=False):
    tags = [(271 if count == 1 else 40000 + i, kind, number, (0,)) for i in range(count)]
    return plain_tiff(64, 64, 8, 1, tail, *tags) if pixels else tiff(tags, tail)


@pytest.fixture
def little_memory():
    """The process may grow by 700 MB only: what takes more ends in a MemoryError."""
    pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages + (700 << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_quickly(tmp_path, little_memory, name):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    began = time.process_time()
    with pytest.raises(ImageError, match="cannot read") as told:
        read_picture(path)
    assert time.process_time() - began < 2
    assert "Error" not in told.value.message


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_the_pixels_costs_little(tmp_path, little_memory, name):
    (tmp_path / "a").write_bytes(BESIDE[name]())
    began = time.process_time()
    try:
        assert read_picture(tmp_path / "a").pixels.shape in ((8, 8, 3), (64, 64, 1))
    except ImageError as error:
        assert "Error" not in error.message
    assert time.process_time() - began < 3


def test_what_takes_much_for_few_bytes_is_refused(tmp_path):
    for kind, side in (("AVIF", 8000), ("WEBP", 12000), ("HEIC", 8000), ("JPEG XL", 8000)):
        with pytest.raises(ImageError, match="GB of memory"):
            limits.check_format(kind, side, side, 500)
        limits.check_format(kind, side, side, 30_000_000)


@pytest.mark.parametrize(
    "data, shape",
    [
        (png(4000, 4000), (4000, 4000, 3)),
        (png(10_000, 10_000, depth=1, colour=0), (10_000, 10_000, 1)),
    ],
    ids=["flat", "flat, 100 megapixels"],
)
def test_flat_pictures_are_read(tmp_path, little_memory, data, shape):
    (tmp_path / "a.png").write_bytes(data)
    assert read_picture(tmp_path / "a.png").pixels.shape == shape


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("value", [0, 128])
def test_flat_jpegs_are_read(tmp_path, progressive, subsampling, value):
    options = {"progressive": progressive, "subsampling": subsampling, "color": (value,) * 3}
    (tmp_path / "a").write_bytes(coded("JPEG", (1600, 1200), **options))
    assert (read_picture(tmp_path / "a").pixels == value).all()


def pictures():
    rng = np.random.default_rng(3)
    deep = rng.integers(0, 65536, (90, 70, 3), dtype=np.uint16)
    rgb = (deep >> 8).astype(np.uint8)
    for name, array in (("rgb", rgb), ("grey", rgb[:, :, :1]), ("deep", deep), ("deep grey", deep[:, :, :1])):
        for alpha in (None, array[:, :, 0]):
            yield f"{name}{'' if alpha is None else ' alpha'}", Picture(array.copy(), alpha)
    yield "float", Picture(rng.random((90, 70, 3), dtype=np.float32), format="TIFF")
    yield "cmyk", Picture(rgb, black=rgb[:, :, 1], format="JPEG")


@pytest.mark.parametrize("name, picture", list(pictures()), ids=[name for name, _ in pictures()])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_large_pictures_are_read_row_by_row_to_the_same_pixels(tmp_path, monkeypatch, name, picture, suffix):
    path = tmp_path / f"a{suffix}"
    try:
        write_picture(path, picture)
    except ImageError:
        return  # the format does not hold it
    whole = read_picture(path)
    calls = []
    for module in ("decode", "tiff"):
        monkeypatch.setattr(f"restore.files.{module}.STREAMED_PIXELS", 100)
        monkeypatch.setattr(f"restore.files.{module}.read_planes", _counted(calls))
    monkeypatch.setattr(rows, "_BAND_BYTES", 3000)
    again = read_picture(path)
    assert calls or (suffix == ".tif" and name in ("cmyk", "float"))
    for plane in ("pixels", "alpha", "black"):
        a, b = getattr(whole, plane), getattr(again, plane)
        assert (a is None) == (b is None)
        assert a is None or (a.dtype == b.dtype and np.array_equal(a, b))
    assert (again.format, again.mode) == (whole.format, whole.mode)


def _counted(calls):
    def read(*arguments):
        calls.append(arguments)
        return rows.read_planes(*arguments)

    return read


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_large_picture_that_is_cut_off_is_refused(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    write_picture(path, Picture(np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)))
    data = path.read_bytes()
    monkeypatch.setattr("restore.files.decode.STREAMED_PIXELS", 100)
    monkeypatch.setattr("restore.files.tiff.STREAMED_PIXELS", 100)
    for share in (0.3, 0.7, 0.95):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ImageError):
            read_picture(path)


def test_a_large_grey_jpeg_that_ends_early_is_refused(tmp_path, monkeypatch):
    """The end marker is there, the data is not: decoders fill up with mid-grey."""
    monkeypatch.setattr("restore.files.decode.STREAMED_PIXELS", 100)
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    data = file.getvalue()
    (tmp_path / "a").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    with pytest.raises(ImageError, match=r"ends early|cut off"):
        read_picture(tmp_path / "a")
    (tmp_path / "a").write_bytes(coded("JPEG", (400, 400), color=(128, 128, 128)))
    assert (read_picture(tmp_path / "a").pixels == 128).all()


def test_the_structure_of_a_jpeg(tmp_path):
    for progressive, scans in ((False, 1), (True, 10)):
        (tmp_path / "a").write_bytes(coded("JPEG", (33, 17), progressive=progressive, subsampling=2))
        with (tmp_path / "a").open("rb") as file:
            found = read_structure(file)
        assert (found.width, found.height, found.progressive, found.buffered) == (
            33,
            17,
            progressive,
            progressive,
        )
        assert len(found.scans) == scans
        assert found.blocks == {1: 15, 2: 6, 3: 6}


def test_honest_pyramids_and_sizes_are_known(tmp_path):
    path = tmp_path / "a.tif"
    page = np.zeros((64, 64), np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(page)
        for level in range(1, 5):
            writer.write(page[:: 2**level, :: 2**level], subfiletype=1)
    assert picture_size(path) == (64, 64)
    assert read_picture(path).pixels.shape == (64, 64, 1)
