"""Pictures of one size in one array: what a generator is trained on and measured with."""

from __future__ import annotations

import gzip
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.data.library import read_rgb8
from restore.errors import ImageError, UsageError
from restore.files import find_pictures
from restore.image import to_grey
from restore.resample import imresize

# How the files of an IDX set are called (MNIST, Fashion-MNIST): split, then images or labels.
IDX_SPLITS = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class PictureSet:
    """``pixels``: N x C x R x R uint8; ``labels``: N class numbers, or None where nothing tells them."""

    pixels: Tensor
    labels: Tensor | None

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: Tensor) -> Tensor:
        """Those pictures as float32 in [-1, 1]."""
        return self.pixels[index].float() / 127.5 - 1


def open_pictures(folder: Path, *, resolution: int, channels: int, split: str = "train") -> PictureSet:
    """An IDX set (``train-images-idx3-ubyte.gz`` ...) or a folder of pictures, whose subfolders are classes.

    Larger pictures are cut to their middle square and shrunk (bicubic, antialiased); smaller ones are surrounded by
    black. A folder with a subfolder called ``split`` is read from there.

    Raises:
        UsageError: nothing to read.
    """
    images = folder / f"{IDX_SPLITS.get(split, split)}-images-idx3-ubyte.gz"
    if images.exists():
        pixels = torch.from_numpy(read_idx(images))[:, None]
        labels = torch.from_numpy(
            read_idx(images.with_name(images.name.replace("images-idx3", "labels-idx1")))
        )
        made = _framed(pixels, resolution).expand(-1, channels, -1, -1)
        return PictureSet(made.contiguous(), labels.long())
    folder = folder / split if (folder / split).is_dir() else folder
    names = find_pictures(folder)

    def read(name: Path) -> Tensor | None:
        try:
            pixels = torch.from_numpy(read_rgb8(folder / name)).permute(2, 0, 1)[None]
        except ImageError:
            return None
        grey = to_grey(pixels.float()).round().to(torch.uint8) if channels == 1 else pixels
        return _framed(grey, resolution)

    with ThreadPoolExecutor(2) as pool:
        found = [(n, p) for n, p in zip(names, pool.map(read, names), strict=True) if p is not None]
    if not found:
        raise UsageError(f"no usable pictures in {str(folder)!r}", hint="a folder of pictures, or an IDX set")
    classes = sorted({name.parent for name, _ in found})
    numbers = torch.tensor([classes.index(name.parent) for name, _ in found]) if len(classes) > 1 else None
    return PictureSet(torch.cat([p for _, p in found]), numbers)


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes, gzipped or not, in the shape it states.

    Raises:
        ImageError: not such a file, or cut short.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise ImageError(f"cannot read {str(path)!r}: {error}") from error
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise ImageError(f"expected an IDX file of bytes, got {str(path)!r}")
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if body.size != math.prod(shape):
        raise ImageError(f"{str(path)!r} states {math.prod(shape)} values and holds {body.size}")
    return body.reshape(shape).copy()


def _framed(pixels: Tensor, side: int) -> Tensor:
    """``N x C x H x W`` uint8 to ``side`` x ``side``: the middle square shrunk, or black around it."""
    h, w = pixels.shape[-2:]
    square = min(h, w)
    if square > side or h != w:
        top, left = (h - square) // 2, (w - square) // 2
        pixels = pixels[..., top : top + square, left : left + square]
    if square > side:
        small = imresize(pixels.float() / 255, size=(side, side)).clamp(0, 1)
        return (small * 255).round().to(torch.uint8)
    before = (side - square) // 2
    framed = pixels.new_zeros((*pixels.shape[:2], side, side))
    framed[..., before : before + square, before : before + square] = pixels
    return framed
