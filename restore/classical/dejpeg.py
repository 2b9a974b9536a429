"""Deblocking by compressing again: the mean over JPEGs of the shifted picture (Nosratinia 2001).

Each shift puts the blocks elsewhere, so what belongs to the picture stays and what belongs to the blocks cancels.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from torch import Tensor

from restore.classical.each import through_numpy
from restore.errors import UsageError

_SUBSAMPLING = 0  # 4:4:4: colours are not blurred again


def dejpeg(x: Tensor, *, quality: int | None = None, shifts: int = 4) -> Tensor:
    """The mean over ``shifts x shifts`` displacements of the picture, compressed at its quality and moved back.

    Args:
        x: ``B x C x H x W`` in [0, 1], 1 or 3 channels, as decoded: blocks begin at the top left.
        quality: libjpeg's scale, 1 to 100; None: :func:`find_quality`.
        shifts: along each axis, 1 to 8, spread over the 8 pixels of a block.

    Raises:
        UsageError: a quality or a number of shifts out of range, or 2 channels or more than 3.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"dejpeg: expected a quality from 1 to 100, got {quality}")
    if not 1 <= shifts <= 8:
        raise UsageError(f"dejpeg: expected 1 to 8 shifts, got {shifts}")
    if x.shape[1] not in (1, 3):
        raise UsageError(f"dejpeg: expected 1 or 3 channels, got {x.shape[1]}")

    def one(pixels: np.ndarray) -> np.ndarray:
        whole = np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)
        strength = quality or find_quality(whole)
        if strength > 98:  # never compressed, as far as can be seen
            return pixels
        h, w, _ = whole.shape
        framed = np.pad(whole, ((8, 8), (8, 8), (0, 0)), mode="edge")
        total = np.zeros(whole.shape, dtype=np.float64)
        places = [round(i * 8 / shifts) for i in range(shifts)]
        for dy in places:
            for dx in places:
                again = _recompress(framed[dy:, dx:], strength)
                total += again[8 - dy : 8 - dy + h, 8 - dx : 8 - dx + w]
        return total / (len(places) ** 2 * 255)

    return through_numpy(x, one)


def find_quality(pixels: np.ndarray) -> int:
    """The quality a picture seems to have been compressed at: where compressing it again changes it least.

    Farid, "Exposing digital forgeries from JPEG ghosts" (2009), with the error of each quality compared with that of
    its neighbours, since it falls with quality anyway.

    Args:
        pixels: ``H x W x C`` uint8 whose blocks begin at the top left.
    """
    h, w, _ = pixels.shape
    part = pixels[: max(min(h, 512) // 8 * 8, 1), : max(min(w, 512) // 8 * 8, 1)]
    luma = np.asarray(Image.fromarray(part).convert("L"))[..., None] if part.shape[-1] == 3 else part
    qualities = np.arange(4, 100)
    errors = np.array([np.mean((_recompress(luma, int(q)) - luma) ** 2.0) for q in qualities]) + 0.02
    around = np.convolve(np.pad(np.log(errors), 3, mode="edge"), np.ones(7) / 7, mode="valid")
    dip = around - np.log(errors)
    return int(qualities[dip.argmax()]) if dip.max() > 0.35 else 99


def _recompress(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(flat).save(file, "JPEG", quality=quality, subsampling=_SUBSAMPLING)
    return np.asarray(Image.open(file)).reshape(pixels.shape).astype(np.float64)
