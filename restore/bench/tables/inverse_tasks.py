"""The known degradations that solvers are compared on: blurs, sampling, holes, compressed sensing."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.operators import (
    Operator,
    Shape,
    blur,
    compressed_sensing,
    fourier,
    masking,
    stride,
)
from restore.degradations.psf import gaussian_psf, motion_psf

RATIO = 0.25
_TEXT = "The quick brown fox jumps over the lazy dog "


def _motion(length: float, seed: int) -> Callable[[Shape], Operator]:
    return lambda shape: blur(motion_psf(length, seed=seed), shape)


def _sampled(sigma: float, scale: int) -> Callable[[Shape], Operator]:
    return lambda shape: blur(gaussian_psf(sigma), shape).then(stride(shape, scale=scale, offset=scale // 2))


def random_mask(height: int, width: int, *, keep: float = 0.5, seed: int = 0) -> Tensor:
    """1 for the share ``keep`` of single pixels."""
    return (draw.draw_uniform(height * width, 0, 1, draw.generator(seed)) < keep).double().view(height, width)


def block_mask(height: int, width: int, *, side: int = 8, cover: float = 0.2, seed: int = 0) -> Tensor:
    """0 in squares of ``side`` pixels on a grid, a share ``cover`` of them."""
    rows, columns = -(-height // side), -(-width // side)
    kept = random_mask(rows, columns, keep=1 - cover, seed=seed)
    return kept.repeat_interleave(side, 0).repeat_interleave(side, 1)[:height, :width].contiguous()


def text_mask(height: int, width: int) -> Tensor:
    """0 where lines of text lie over the picture, 24 pixels apart."""
    plane = np.zeros((height, width), np.uint8)
    line = _TEXT * (width // 200 + 2)
    for row, bottom in enumerate(range(20, height + 20, 24)):
        cv2.putText(plane, line[7 * row % 44 :], (-5, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    return torch.from_numpy(plane == 0).double()


def frequency_mask(height: int, width: int, *, ratio: float = RATIO, seed: int = 0) -> Tensor:
    """1 for about ``ratio`` of all frequencies, low ones more often: chances fall with the fourth power of 1 - r."""
    fy, fx = torch.fft.fftfreq(height).double(), torch.fft.fftfreq(width).double()
    r = (fy.square()[:, None] + fx.square()).sqrt() / 0.5**0.5
    chance = (1 - r).clamp(min=0) ** 4
    low, high = 0.0, 1e4
    for _ in range(60):  # the factor that makes the mean of the chances the ratio
        middle = (low + high) / 2
        short = float((middle * chance).clamp(max=1).mean()) < ratio
        low, high = (middle, high) if short else (low, middle)
    drawn = draw.draw_uniform(height * width, 0, 1, draw.generator(seed)).view(height, width)
    return (drawn < low * chance).double()


def _holes(mask: Callable[[int, int], Tensor]) -> Callable[[Shape], Operator]:
    return lambda shape: masking(mask(shape[1], shape[2]), shape)


# Name: the operator for pictures (C, H, W), and what their sides must be multiples of.
TASKS: dict[str, tuple[Callable[[Shape], Operator], int]] = {
    "deblur, gaussian 1.6": (lambda shape: blur(gaussian_psf(1.6), shape), 1),
    "deblur, motion 30": (_motion(30, 1), 1),
    "deblur, motion 50": (_motion(50, 2), 1),
    "super-resolution x2, gaussian 1.0": (_sampled(1.0, 2), 2),
    "super-resolution x3, gaussian 1.6": (_sampled(1.6, 3), 3),
    "inpainting, 50 % of the pixels": (_holes(random_mask), 1),
    "inpainting, text": (_holes(text_mask), 1),
    "inpainting, blocks of 8": (_holes(block_mask), 1),
    "sensing, 25 % of the frequencies": (
        lambda shape: fourier(frequency_mask(shape[1], shape[2]), shape), 1,
    ),
    "sensing, 25 % by random convolution": (
        lambda shape: compressed_sensing(shape, count=round(RATIO * shape[0] * shape[1] * shape[2])), 1,
    ),
}  # fmt: skip
