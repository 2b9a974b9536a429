"""ImageNet-C's noise, tones and codecs (Hendrycks & Dietterich 2019), from its published formulas and tables."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from restore.degradations import codec
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.counts import poisson_counts
from restore.degradations.filters import each, flipped, gather_rows
from restore.degradations.knob import Knob

_BLACK = 1e-6


def gaussian_noise(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """x + N(0, sigma^2), independent per value."""
    return each(x, lambda x, seed, sigma: torch.add(x, _normal(seed, x), alpha=sigma), seed, sigma)


def shot_noise(x: Tensor, *, seed: Tensor, photons: Tensor) -> Tensor:
    """Pois(c x) / c for c ``photons`` at white; the gradient is that of the mean."""

    def one(x: Tensor, seed: int, photons: float) -> Tensor:
        return codec.straight_through(x, poisson_counts(x.detach() * photons, seed).div_(photons).to(x))

    return each(x, one, seed, photons)


def impulse_noise(x: Tensor, *, seed: Tensor, amount: Tensor) -> Tensor:
    """A share ``amount`` of the values becomes 0 or 1, each half of the time."""

    def one(x: Tensor, seed: int, amount: float) -> Tensor:
        if amount <= 0:
            return x
        # 16 random bits for every value; those of a share at either end of their range reach out of the middle.
        bits = draw.random_words(seed, -(-x.numel() // 2)).view(torch.int16)[: x.numel()]
        share = min(max(round(amount * 2**15), 1), 2**15 - 1)
        beyond = bits.clamp(share - 2**15, 2**15 - 1 - share).sub_(bits).view(x.shape)
        # Zero for most, otherwise so large that the final cut makes it black or white: faster than masks.
        return torch.add(x, beyond.to(x), alpha=1e9)

    return each(x, one, seed, amount)


def speckle_noise(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """x + x N(0, sigma^2)."""
    return each(x, lambda x, seed, sigma: torch.addcmul(x, x, _normal(seed, x), value=sigma), seed, sigma)


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
        return lit if float(value.amin()) > _BLACK else torch.where(value > _BLACK, lit, lifted)

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


def _normal(seed: int, x: Tensor) -> Tensor:
    return draw.normal_fields(torch.tensor([seed]), tuple(x.shape))[0].to(x)


GAUSSIAN = Degradation(
    "gaussian_noise",
    gaussian_noise,
    {
        "sigma": Knob(
            "standard deviation, units of [0, 1]",
            span=(0.04, 0.38),
            legal=(0.0, 10.0),
            levels={
                32: (0.04, 0.06, 0.08, 0.09, 0.10),
                64: (0.04, 0.08, 0.12, 0.15, 0.18),
                224: (0.08, 0.12, 0.18, 0.26, 0.38),
            },
        )
    },
)
SHOT = Degradation(
    "shot_noise",
    shot_noise,
    {
        "photons": Knob(
            "mean count c at white",
            span=(3.0, 500.0),
            legal=(1e-3, 1e6),
            levels={32: (500, 250, 100, 75, 50), 64: (250, 100, 50, 30, 15), 224: (60, 25, 12, 5, 3)},
        )
    },
)
IMPULSE = Degradation(
    "impulse_noise",
    impulse_noise,
    {
        "amount": Knob(
            "share of the values",
            span=(0.01, 0.27),
            legal=(0.0, 1.0),
            levels={
                32: (0.01, 0.02, 0.03, 0.05, 0.07),
                64: (0.01, 0.02, 0.05, 0.08, 0.14),
                224: (0.03, 0.06, 0.09, 0.17, 0.27),
            },
        )
    },
)
SPECKLE = Degradation(
    "speckle_noise",
    speckle_noise,
    {
        "sigma": Knob(
            "standard deviation at white, units of [0, 1]",
            span=(0.06, 0.6),
            legal=(0.0, 10.0),
            levels={
                32: (0.06, 0.1, 0.12, 0.16, 0.2),
                64: (0.15, 0.2, 0.25, 0.3, 0.35),
                224: (0.15, 0.2, 0.35, 0.45, 0.6),
            },
        )
    },
)
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
