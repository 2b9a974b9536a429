"""Clean photographs, decoded once, at several sizes, in memory as 8-bit pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from restore.errors import ImageError, UsageError
from restore.files import find_pictures, read_picture

# How pictures found in the wild have been shrunk: by a wide kernel, by averages of squares, by OpenCV's default that
# looks at four pixels however much it shrinks. The last two alias, which is not damage.
SHRINKERS = ("lanczos", "bicubic", "bilinear", "box", "linear")


@dataclass(frozen=True)
class Library:
    """Pictures ``H x W x 3`` uint8 to draw crops from, and whole ones held out for validation."""

    train: list[np.ndarray]
    held_out: list[np.ndarray]
    skipped: list[str]

    @property
    def megapixels(self) -> float:
        """Size of the training pictures together."""
        return sum(p.shape[0] * p.shape[1] for p in self.train) / 1e6


def open_library(
    folder: Path,
    *,
    long_sides: Sequence[int] = (1800, 1280, 960, 640, 512),
    min_downscale: float = 1.9,
    min_side: int = 160,
    shrink_by: Sequence[str] = ("lanczos",),
    hold_out: int = 8,
    keep: Callable[[Path], bool] = lambda name: True,
    report: Callable[[str], None] = lambda text: None,
) -> Library:
    """Decodes every picture of ``folder`` and keeps it at each long side that shrinks it enough.

    Photographs are shrunk because their own compression and sensor noise would else be learned as truth.

    Args:
        long_sides: the sizes wanted, in pixels of the longer side; empty: the pictures as they are.
        min_downscale: a size is used only if it shrinks the picture at least this much.
        min_side: smaller results are left out.
        shrink_by: kernels (of ``SHRINKERS``) that sizes and pictures take in turn.
        hold_out: how many pictures are kept for validation, chosen by a hash of their names.
        keep: says by its name (relative to the folder) whether a picture is used at all.

    Raises:
        UsageError: no usable picture.
    """
    names = [name for name in find_pictures(folder) if keep(name)]
    held = hold_out_names(names, hold_out)
    skipped: list[str] = []

    def sizes(place: int, name: Path) -> list[np.ndarray]:
        try:
            pixels = read_rgb8(folder / name)
        except ImageError as error:
            skipped.append(error.message)
            return []
        turn = place % len(shrink_by)
        kernels = [*shrink_by[turn:], *shrink_by[:turn]]
        return _at_sizes(pixels, long_sides, kernels, min_downscale, min_side)

    train: list[np.ndarray] = []
    held_out: list[np.ndarray] = []
    with ThreadPoolExecutor(2) as pool:
        for name, pictures in zip(names, pool.map(sizes, range(len(names)), names), strict=True):
            if name in held:
                held_out += pictures[:1]
            else:
                train += pictures
    if not train:
        raise UsageError(
            f"no usable pictures in {folder}",
            hint=f"expected photographs of at least {min_side} px a side after shrinking by {min_downscale:g}",
        )
    library = Library(train, held_out, skipped)
    report(
        f"{len(names)} pictures, {len(train)} training sizes of {library.megapixels:.0f} megapixels, "
        f"{len(held_out)} held out, {len(skipped)} unreadable"
    )
    return library


def hold_out_names(names: Sequence[Path], count: int) -> set[Path]:
    """``count`` names chosen by their hash, so that a picture's role does not depend on its neighbours.

    Of few pictures only one is held out, of a single one none.
    """
    by_hash = sorted(
        names, key=lambda n: hashlib.sha256(n.as_posix().encode("utf-8", "surrogateescape")).digest()
    )
    return set(by_hash[: count if len(names) > 2 * count else min(1, len(names) - 1)])


def read_rgb8(path: Path) -> np.ndarray:
    """A file as ``H x W x 3`` uint8; grey is repeated, 16 bits are rounded, alpha is dropped."""
    picture = read_picture(path)
    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _at_sizes(
    pixels: np.ndarray,
    long_sides: Sequence[int],
    kernels: Sequence[str],
    min_downscale: float,
    min_side: int,
) -> list[np.ndarray]:
    height, width = pixels.shape[:2]
    if not long_sides:
        return [pixels] if min(height, width) >= min_side else []
    kept: list[np.ndarray] = []
    for side in long_sides:
        factor = max(height, width) / side
        size = (round(width / factor), round(height / factor))
        if factor >= min_downscale and min(size) >= min_side:
            kept.append(shrink_to(pixels, size, kernels[len(kept) % len(kernels)]))
    return kept


def shrink_to(pixels: np.ndarray, size: tuple[int, int], kernel: str) -> np.ndarray:
    """``H x W x 3`` uint8 at a smaller size (width, height), by a kernel of ``SHRINKERS``."""
    if kernel == "linear":
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling[kernel.upper()]))
