"""Pictures, files and folders that several tests are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from skimage.data import astronaut

from restore.folder import restore_folder

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TOPS = {np.uint8: 255, np.uint16: 65535}


def noise(channels: int, dtype: Any, size: tuple[int, int] = (19, 26)) -> np.ndarray:
    g = np.random.default_rng(channels)
    if dtype == np.float32:
        return g.random((*size, channels), dtype=np.float32)
    return g.integers(0, TOPS[dtype] + 1, (*size, channels), dtype=dtype)


def photo() -> np.ndarray:
    return np.ascontiguousarray(astronaut()[40:160, 160:310])


def exif_block(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A maker"
    exif.get_ifd(0x8769)[0x829A] = 0.25
    exif[0x8769] = exif.get_ifd(0x8769)
    return exif.tobytes()[6:]


def same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and np.array_equal(a, b)


def pixels(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below ``folder``, ours included, with size and time."""
    found = [p for p in folder.rglob("*") if p.is_file()]
    return {p.relative_to(folder).as_posix(): (p.stat().st_size, p.stat().st_mtime_ns) for p in found}


def pictures(folder: Path) -> dict[str, tuple[int, int]]:
    return {k: v for k, v in files(folder).items() if k.endswith((".png", ".jpg", ".tif"))}


def restore(source: Path | list[Path], out: Path, **options):  # type: ignore[no-untyped-def]
    return restore_folder(source, out, **{"model": "identity", **options})
