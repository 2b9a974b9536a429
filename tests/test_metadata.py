"""What a file says of its picture survives a change of its pixels: XMP, IPTC, comments, texts, tags."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from restore.errors import ImageError
from restore.files import read_picture, write_picture
from restore.files.carry import left_out
from restore.files.segments import read_segments

XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:%s="http://ns.adobe.com/tiff/1.0/" '
    b'dc:title="Gr\xc3\xbc\xc3\x9fe" '
    b'%s:Orientation="6"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
IPTC = b"\x1c\x02\x19\x00\x05alpha\x1c\x02\x50\x00\x02me"
RESOURCES = (
    b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(IPTC)) + IPTC + b"8BIM\x04\x25\0\0\0\0\0\x02ab"
)  # odd record: none


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def xmp(prefix: bytes = b"tiff") -> bytes:
    return XMP % (prefix, prefix)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(path: Path, *segments: bytes) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"".join(segments) + data[2:])


def again(path: Path, ending: str = "") -> Path:
    """Read, changed in every pixel, and written in another file."""
    picture = read_picture(path)
    picture.pixels = picture.pixels // 2 if picture.pixels.dtype.kind == "u" else picture.pixels / 2
    target = path.with_name(f"again-{path.stem}{ending or path.suffix}")
    write_picture(target, picture)
    return target


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_xmp_goes_from_every_format_to_every_other(tmp_path: Path, ending: str, target: str) -> None:
    path = tmp_path / f"a{ending}"
    image = Image.fromarray(noise(16, 24, 3))
    if ending == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp().decode())
        image.save(path, pnginfo=info)
    elif ending == ".tif":
        tifffile.imwrite(path, noise(16, 24, 3), photometric="rgb", extratags=[(700, 1, 0, xmp(), True)])
    else:
        image.save(path, xmp=xmp())
    written = again(path, target)
    assert written != path and read_picture(written).metadata.xmp == xmp().replace(b'"6"', b'"1"')
    with Image.open(written) as seen:  # by somebody else's reader
        assert b"Gr\xc3\xbc\xc3\x9fe" in (
            seen.info.get("xmp") or seen.info.get("XML:com.adobe.xmp", "").encode() or seen.tag_v2[700]
        )


def test_xmp_turns_where_exif_says_nothing_and_never_twice(tmp_path: Path) -> None:
    pixels = noise(16, 24, 3)
    Image.fromarray(pixels).save(tmp_path / "xmp.webp", lossless=True, xmp=xmp(b"t"))
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(pixels).save(tmp_path / "both.webp", lossless=True, xmp=xmp(), exif=exif)
    assert np.array_equal(read_picture(tmp_path / "xmp.webp").pixels, np.rot90(pixels, -1))
    assert np.array_equal(read_picture(tmp_path / "both.webp").pixels, pixels[::-1, ::-1])
    for name in ("xmp.webp", "both.webp"):
        first = again(tmp_path / name)
        assert read_picture(again(first)).size == read_picture(tmp_path / name).size


@pytest.mark.parametrize(
    "form", ["<tiff:Orientation>6</tiff:Orientation>", "<tiff:Orientation >\n6 </tiff:Orientation>"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_orientation_as_an_element_and_in_utf_16(form: str, encoding: str) -> None:
    from restore.files.xmp import stand_upright

    packet = (
        f'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/">{form}<other:Orientation>6</other:Orientation></x>'
    )
    told, upright = stand_upright(packet.encode(encoding))
    assert told == 6 and upright.decode(encoding) == packet.replace("6", "1", 1)


def test_a_jpeg_keeps_all_its_segments(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise(32, 32, 3)).save(path, quality=90)
    kept = [
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp().replace(b'"6"', b'"1"')),
        *((0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes([n]) * 60000) for n in range(40)),
        (0xE1, b"FLIR\0thermal"),
        (0xEC, b"Ducky\0\1\0\4\0\0\0\x50"),
        (0xFE, b"all rights reserved"),
        (0xFE, "zweiter: Grüße".encode()),
        (0xED, b"Photoshop 3.0\0" + RESOURCES),
    ]
    dropped = [(0xE2, b"MPF\0II*\0"), (0xE8, b"SPIFF\0old"), (0xE0, b"JFXX\0\x10old")]
    with_segments(path, *(segment(*s) for s in (*dropped, *kept)))
    written = again(path)
    with written.open("rb") as file:
        found = list(read_segments(file))
    assert all(s in found for s in kept)
    assert not any(s in found for s in dropped)
    assert [s for s in found if s[0] == 0xFE] == [s for s in kept if s[0] == 0xFE]
    with Image.open(written) as image:
        image.load()
        assert image.info["photoshop"][0x0404] == IPTC
    assert left_out(read_picture(path), "JPEG") == ()


def test_a_long_photoshop_segment_is_split_and_joined(tmp_path: Path) -> None:
    long = b"8BIM" + struct.pack(">HHI", 0x0FA0, 0, 150_000) + bytes(150_000) + RESOURCES
    path = tmp_path / "a.jpg"
    Image.fromarray(noise(32, 32, 3)).save(path)
    parts = [long[i : i + 65000] for i in range(0, len(long), 65000)]
    with_segments(path, *(segment(0xED, b"Photoshop 3.0\0" + part) for part in parts))
    assert read_picture(again(path)).metadata.photoshop == long


@pytest.mark.parametrize("target", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("ending", [".jpg", ".tif"])
def test_iptc_goes_where_there_is_a_place_for_it(tmp_path: Path, ending: str, target: str) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".jpg":
        Image.fromarray(noise(32, 32, 3)).save(path)
        with_segments(path, segment(0xED, b"Photoshop 3.0\0" + RESOURCES))
    else:
        tifffile.imwrite(path, noise(32, 32, 3), photometric="rgb", extratags=[(33723, 7, 0, IPTC, True)])
    written = again(path, target)
    if target == ".tif":
        with tifffile.TiffFile(written) as tiff:
            assert bytes(tiff.pages.first.tags[33723].value) == IPTC
    elif target == ".jpg":
        with Image.open(written) as image:
            assert image.info["photoshop"][0x0404] == IPTC
    else:
        with Image.open(written) as image:
            image.load()
            name, size, digits = image.text["Raw profile type iptc"].split(None, 2)
        assert name == "iptc" and IPTC in bytes.fromhex(digits) and int(size) == len(bytes.fromhex(digits))


@pytest.mark.parametrize("deep", [False, True])
def test_a_png_keeps_its_texts_and_chunks(tmp_path: Path, deep: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "a scanner")
    info.add_text("parameters", "a cat, steps 20 " * 50, zip=True)
    info.add_itxt("Title", "Grüße", lang="de", tkey="Titel")
    info.add_itxt("Description", "Ä" * 500, zip=True)
    info.add(b"vpAg", b"\0\0\0\1\0\0\0\1\0")  # private, safe to copy
    info.add(b"prIV", b"unsafe")  # private, not to be copied when pixels change
    path = tmp_path / "a.png"
    Image.fromarray(noise(16, 16) if not deep else noise(16, 16).astype(np.uint16) * 257).save(
        path, pnginfo=info
    )
    data = path.read_bytes()

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    public = chunk(b"oFFs", bytes(9)) + chunk(b"cLLI", bytes(8)) + chunk(b"sCAL", b"\1" + b"1\0" + b"2")
    late = chunk(b"tEXt", b"Late\0behind the pixels")
    path.write_bytes(data[:33] + public + data[33:-12] + late + data[-12:])
    written = again(path)
    with Image.open(path) as before, Image.open(written) as after:
        before.load()
        after.load()
        assert after.text == before.text and "Late" in after.text
        assert after.text["Title"].lang == "de" and after.text["Title"].tkey == "Titel"
    kept = written.read_bytes()
    assert all(name in kept for name in (b"vpAg", b"oFFs", b"cLLI", b"sCAL")) and b"prIV" not in kept
    assert np.array_equal(read_picture(written).pixels, read_picture(path).pixels // 2)


def test_exif_and_xmp_as_raw_profiles_of_a_png(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif[315] = 6, "me"
    block = exif.tobytes()
    body = b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"
    info = PngImagePlugin.PngInfo()
    info.add(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(body))
    pixels = noise(16, 24, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png", pnginfo=info)
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.pixels, np.rot90(pixels, -1))
    with Image.open(again(tmp_path / "a.png")) as image:
        found = image.getexif()
        assert (found[274], found[315]) == (1, "me")


GEO = [
    (33550, "d", 3, (0.5, 0.25, 0.0), True),
    (33922, "d", 6, (8.0, 4.0, 0, 440720.0, 3751320.0, 0), True),
    (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (34737, "s", 0, "UTM zone 11N|", True),
    (42112, "s", 0, "<GDALMetadata><Item>Grüße</Item></GDALMetadata>".encode(), True),
    (42113, "s", 0, "-9999", True),
    (65001, "H", 3, (1, 2, 3), True),
    (65002, "i", 4, (-1, 3, 5, -7), True),
]


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_keeps_geotiff_and_anybodys_tags(tmp_path: Path, order: str, big: bool, dtype: type) -> None:
    path = tmp_path / "a.tif"
    array = noise(16, 24, 3).astype(dtype) / (255 if dtype == np.float32 else 1)
    tifffile.imwrite(
        path, array.astype(dtype), photometric="rgb", byteorder=order, bigtiff=big, extratags=GEO,
        description="µ".encode(), metadata=None, resolution=(300, 300), resolutionunit="INCH",
    )  # fmt: skip
    written = again(path)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(written) as after:
        old, new = before.pages.first.tags, after.pages.first.tags
        for tag in (270, 282, 283, 296, *(g[0] for g in GEO)):
            assert new[tag].value == old[tag].value, tag
        assert "µ" in after.pages.first.description


def test_geotiff_follows_the_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(16, 24, 3), photometric="rgb", extratags=GEO)
    picture = read_picture(tmp_path / "a.tif")
    picture.pixels = picture.pixels.repeat(2, 0).repeat(2, 1)
    write_picture(tmp_path / "b.tif", picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        tags = tiff.pages.first.tags
        assert tags[33550].value == (0.25, 0.125, 0.0)
        assert tags[33922].value == (16.0, 8.0, 0.0, 440720.0, 3751320.0, 0.0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_imagej_keeps_its_scale_and_notes(tmp_path: Path, order: str, dtype: type) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, noise(16, 24).astype(dtype), imagej=True, byteorder=order, resolution=(3.5, 2.5),
        metadata={"unit": "um", "Info": "microscope=Ü\n", "Labels": ["eins"], "axes": "YX", "Ranges": (0.0, 9.0)},
    )  # fmt: skip
    written = again(path)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(written) as after:
        assert after.is_imagej and after.imagej_metadata == before.imagej_metadata
        assert after.imagej_metadata["Labels"] == "eins" and after.imagej_metadata["unit"] == "um"
        for tag in (282, 283, 296):
            assert after.pages.first.tags[tag].value == before.pages.first.tags[tag].value


def test_a_stack_in_one_directory_is_refused_and_not_cut(tmp_path: Path) -> None:
    told = b"ImageJ=1.53k\nimages=3\nslices=3\n"
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, noise(8, 8), description=told, metadata=None)
    path.write_bytes(path.read_bytes() + noise(16, 8).tobytes())
    with pytest.raises(ImageError, match="several pictures"):
        read_picture(path)


def test_text_in_exif_directories_keeps_its_bytes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[315] = "me"
    exif.get_ifd(34665)[33434] = 1 / 60
    exif.get_ifd(34665)[37510] = b"ASCII\0\0\0note"
    exif.get_ifd(34853)[2] = (1.0, 2.0, 3.0)
    path = tmp_path / "a.tif"
    Image.fromarray(noise(16, 16, 3)).save(path, exif=exif, description="Gr\xfc\xdfe")
    with Image.open(path) as before, Image.open(again(path)) as after:
        old, new = before.getexif(), after.getexif()
        assert new[315] == "me" and new[270] == old[270]
        for directory in (34665, 34853):
            assert new.get_ifd(directory) == old.get_ifd(directory)


def test_comments_of_a_jpeg_reach_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise(16, 16, 3)).save(path, comment="Grüße".encode())
    with Image.open(again(path, ".png")) as png, Image.open(again(path, ".gif")) as gif:
        png.load()
        assert png.text["Comment"] == "Grüße" and gif.info["comment"] == "Grüße".encode()
    with tifffile.TiffFile(again(path, ".tif")) as tiff:
        assert tiff.pages.first.description == "Grüße"


def test_what_is_not_carried_on_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    first, second = Image.fromarray(noise(32, 32, 3)), Image.fromarray(noise(16, 16, 3))
    first.save(path, "MPO", save_all=True, append_images=[second])
    assert left_out(read_picture(path), "JPEG") == ("1 further picture (MPO)",)
    with_segments(
        path,
        segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x10jumdc2pa"),
        segment(
            0xE1, b"http://ns.adobe.com/xap/1.0/\0<x xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'/>"
        ),
    )
    named = left_out(read_picture(path), "JPEG")
    assert "a gain map (HDR)" in named and "content credentials (C2PA)" in named
    assert "XMP" in left_out(read_picture(path), "BMP")


def test_damaged_metadata_never_cost_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(16, 16, 3), photometric="rgb", extratags=GEO, description="words " * 20)
    data = path.read_bytes()
    whole = read_picture(path).pixels
    head = struct.unpack_from("<I", data, 4)[0]
    rng = np.random.default_rng(0)
    keep = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 339}
    count = struct.unpack_from("<H", data, head)[0]
    for _ in range(40):
        changed = bytearray(data)
        entry = head + 2 + 12 * int(rng.integers(count))
        if struct.unpack_from("<H", changed, entry)[0] in keep:
            continue
        struct.pack_into("<I", changed, entry + int(rng.choice([4, 8])), int(rng.integers(1 << 32)))
        path.write_bytes(changed)
        assert np.array_equal(read_picture(path).pixels, whole)
        again(path)


def test_a_long_text_does_not_cost_the_picture(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "node " * 500_000, zip=True)
    Image.fromarray(noise(16, 16, 3)).save(tmp_path / "a.png", pnginfo=info)
    written = again(tmp_path / "a.png")
    assert zlib.compress(b"node " * 500_000) in written.read_bytes()


def test_png_texts_that_are_bombs_are_carried_packed(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    bomb = b"Raw profile type exif\0\0" + zlib.compress(bytes(1 << 26))
    info.add(b"zTXt", bomb)
    buffer = io.BytesIO()
    Image.fromarray(noise(16, 16, 3)).save(buffer, "PNG", pnginfo=info)
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    assert read_picture(tmp_path / "a.png").metadata.texts == ((b"zTXt", bomb),)
