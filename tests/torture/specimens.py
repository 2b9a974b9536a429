"""Small whole pictures in many formats, for the fuzzer to damage."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

SIZE = (45, 37)  # width and height: no multiple of a block


@cache
def specimens() -> tuple[tuple[str, bytes], ...]:
    """(ending, bytes): every format that is read, in several modes, with profile, EXIF and text where it has them."""
    made: list[tuple[str, bytes]] = []
    images = _images()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = 6, "maker", "rights"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "words " * 30, zip=True)
    text.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
    about = {"icc_profile": icc, "exif": exif}
    for suffix, kind, mode, options in (
        (".png", "PNG", "RGB", {**about, "pnginfo": text, "dpi": (72, 72)}),
        (".png", "PNG", "RGBA", {}), (".png", "PNG", "L", {"transparency": 9}), (".png", "PNG", "P", {}),
        (".png", "PNG", "1", {}), (".png", "PNG", "I;16", {"icc_profile": icc}),
        (".jpg", "JPEG", "RGB", {**about, "quality": 90, "comment": b"words"}),
        (".jpg", "JPEG", "RGB", {"progressive": True, "subsampling": 0}), (".jpg", "JPEG", "L", {"quality": 20}),
        (".jpg", "JPEG", "CMYK", {}), (".jpg", "MPO", "RGB", {"save_all": True, "append_images": [images["RGB"]]}),
        (".webp", "WEBP", "RGB", about), (".webp", "WEBP", "RGBA", {"lossless": True}),
        (".tif", "TIFF", "RGB", {**about, "dpi": (72, 72)}), (".tif", "TIFF", "RGBA", {"compression": "tiff_lzw"}),
        (".tif", "TIFF", "RGB", {"compression": "jpeg"}), (".tif", "TIFF", "1", {"compression": "group4"}),
        (".tif", "TIFF", "L", {"compression": "packbits"}), (".tif", "TIFF", "CMYK", {}),
        (".bmp", "BMP", "RGB", {}), (".bmp", "BMP", "P", {}), (".gif", "GIF", "P", {"transparency": 3}),
        (".gif", "GIF", "L", {"interlace": 1}), (".jp2", "JPEG2000", "RGB", {"irreversible": True}),
        (".jp2", "JPEG2000", "I;16", {}), (".ppm", "PPM", "RGB", {}), (".pgm", "PPM", "L", {}),
        (".pbm", "PPM", "1", {}), (".avif", "AVIF", "RGB", about),
    ):  # fmt: skip
        file = io.BytesIO()
        images[mode].save(file, kind, **options)
        made.append((suffix, file.getvalue()))
    deep = np.asarray(images["RGB"]).astype(np.uint16) * 257
    for array in (deep, (deep / 65535).astype(np.float32)):
        for options in (
            {"photometric": "rgb", "compression": "zlib", "tile": (16, 16)},
            {"photometric": "rgb", "bigtiff": True}, {"photometric": "rgb", "byteorder": ">"},
            {"photometric": "rgb", "planarconfig": "separate"},
        ):  # fmt: skip
            file = io.BytesIO()
            planes = np.moveaxis(array, -1, 0) if "planarconfig" in options else array
            tifffile.imwrite(file, np.ascontiguousarray(planes), **options)
            made.append((".tif", file.getvalue()))
    made.append((".ppm", b"P6\n%d %d\n65535\n" % SIZE + deep.astype(">u2").tobytes()))
    plain = b" ".join(b"%d" % v for v in np.asarray(images["L"]).ravel())
    made.append((".pgm", b"P2\n# words\n%d %d\n255\n" % SIZE + plain))
    return tuple(made)


def _images() -> dict[str, Image.Image]:
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    values = np.stack([5 * x, 6 * y, 3 * (x + y)], 2) + np.random.default_rng(0).normal(0, 5, (*x.shape, 3))
    rgb = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    made = {mode: rgb.convert(mode) for mode in ("RGB", "L", "1", "CMYK")}
    made["RGBA"] = rgb.copy()
    made["RGBA"].putalpha(Image.fromarray((255 * (x > y)).astype(np.uint8)))
    made["P"] = rgb.quantize(32)
    made["I;16"] = Image.fromarray((values[:, :, 0].clip(0, 255) * 257).astype(np.uint16))
    return made
