"""ImageNet-C's tones and codecs (Hendrycks & Dietterich 2019), from its published formulas and tables."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from restore.degradations import codec
from restore.degradations.base import Degradation
from restore.degradations.filters import each, flipped, gather_rows
from restore.degradations.knob import Knob

_BLACK = 1e-6


def contrast(x: Tensor, *, seed: Tensor, factor: Tensor) -> Tensor:
    """m + factor (x - m), m the mean of each channel of each picture."""
    return each(x, lambda x, factor: torch.lerp(x.mean((-2, -1), keepdim=True), x, factor), factor)


def brightness(x: Tensor, *, seed: Tensor, lift: Tensor) -> Tensor:
    """``lift`` added to V of hue, saturation and value, at most 1; hue and saturation stay."""

    def one(x: Tensor, lift: float) -> Tensor:
        value = x.amax(0, keepdim=True)
        lifted = (value + lift).clamp(0, 1)
        # All channels share the factor of the largest one; black has no hue and becomes grey.
        factor = lifted / value.clamp(min=_BLACK)
        lit = x * factor
        return lit if float(value.detach().amin()) > _BLACK else torch.where(value > _BLACK, lit, lifted)

    return each(x, one, lift)


def saturate(x: Tensor, *, seed: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """S of hue, saturation and value becomes ``factor S + offset``, cut to [0, 1]; grey turns red where S > 0 then.

    A picture of one channel has no saturation: it stays as it is.
    """

    def one(x: Tensor, factor: float, offset: float) -> Tensor:
        value = x.amax(0, keepdim=True)
        chroma = value - x.amin(0, keepdim=True)
        wanted = (factor * chroma / value.clamp(min=_BLACK) + offset).clamp(0, 1) * value
        # Each channel keeps its share of the distance below the value.
        made = value + (x - value) * (wanted / chroma.clamp(min=_BLACK))
        if offset == 0:
            return made
        red = torch.cat([value, value - wanted, value - wanted])
        return torch.where(chroma > _BLACK, made, red)

    return each(x, one, factor, offset) if x.shape[1] == 3 else x.clamp(0, 1)


def jpeg_compression(x: Tensor, *, seed: Tensor, quality: Tensor) -> Tensor:
    """``jpeg`` with its chroma halved."""
    return codec.jpeg(x, seed=seed, quality=quality, subsampling=["420"] * len(x))


def pixelate(x: Tensor, *, seed: Tensor, size: Tensor) -> Tensor:
    """Means over ``size`` times as many cells a side, whole pixels each, shown as whole pixels.

    As Pillow's box and nearest do it; ``pixelate`` of ours lets a pixel on the border of two cells belong to both.
    """

    def one(x: Tensor, size: float) -> Tensor:
        (rows, row_weights, row_shown), (columns, column_weights, column_shown) = (
            _cells(n, size) for n in x.shape[-2:]
        )
        cells = gather_rows(flipped(gather_rows(x, rows, row_weights)), columns, column_weights)
        wide = flipped(cells.index_select(-2, column_shown.to(x.device)))
        return wide.index_select(-2, row_shown.to(x.device))

    return each(x, one, size)


@lru_cache(maxsize=64)
def _cells(length: int, size: float) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """The first, second, ... pixels of the cells of a line, their weights in the means, and each pixel's cell."""
    count = max(int(length * size + 1e-9), 1)
    width = length / count
    edge = (torch.arange(count + 1, dtype=torch.float64) * width - 0.5 + 1e-9).floor().long() + 1
    first, last = edge[:-1, None], edge[1:, None]
    place = first + torch.arange(int((last - first).max()))
    weights = ((place < last) / (last - first).double()).float()
    shown = ((torch.arange(length, dtype=torch.float64) + 0.5) / width + 1e-9).floor().long()
    pixels = place.clamp(max=length - 1).T.contiguous()
    return list(pixels), list(weights.T.contiguous()), shown.clamp(max=count - 1)


CONTRAST = Degradation(
    "contrast",
    contrast,
    {
        "factor": Knob(
            "contrast that is left",
            span=(0.05, 0.75),
            legal=(0.0, 10.0),
            levels={
                32: (0.75, 0.5, 0.4, 0.3, 0.15),
                64: (0.4, 0.3, 0.2, 0.1, 0.05),
                224: (0.4, 0.3, 0.2, 0.1, 0.05),
            },
        )
    },
)
BRIGHTNESS = Degradation(
    "brightness",
    brightness,
    {
        "lift": Knob(
            "added to the value, units of [0, 1]",
            span=(0.05, 0.5),
            legal=(-1.0, 1.0),
            levels={
                32: (0.05, 0.1, 0.15, 0.2, 0.3),
                64: (0.1, 0.2, 0.3, 0.4, 0.5),
                224: (0.1, 0.2, 0.3, 0.4, 0.5),
            },
        )
    },
)
SATURATE = Degradation(
    "saturate",
    saturate,
    {
        "factor": Knob(
            "factor of the saturation",
            span=(0.1, 5.0),
            legal=(0.0, 1000.0),
            levels={32: (0.3, 0.1, 1.5, 2, 2.5), 64: (0.3, 0.1, 2, 5, 30), 224: (0.3, 0.1, 2, 5, 20)},
        ),
        "offset": Knob(
            "added to the saturation",
            legal=(-1.0, 1.0),
            levels={32: (0, 0, 0, 0.1, 0.2), 64: (0, 0, 0, 0.1, 0.2), 224: (0, 0, 0, 0.1, 0.2)},
            default=0.0,
        ),
    },
)
JPEG = Degradation(
    "jpeg_compression",
    jpeg_compression,
    {
        "quality": Knob(
            "quality from 1 to 100, as libjpeg counts",
            span=(7, 80),
            legal=(1, 100),
            levels={32: (80, 65, 58, 50, 40), 64: (65, 58, 50, 40, 25), 224: (25, 18, 15, 10, 7)},
            whole=True,
        )
    },
)
PIXELATE = Degradation(
    "imagenet-c-pixelate",
    pixelate,
    {
        "size": Knob(
            "size of the coarse picture, as a fraction of each side",
            span=(0.25, 0.95),
            legal=(0.01, 1.0),
            levels={
                32: (0.95, 0.9, 0.85, 0.75, 0.65),
                64: (0.9, 0.8, 0.7, 0.6, 0.5),
                224: (0.6, 0.5, 0.4, 0.3, 0.25),
            },
        )
    },
)
