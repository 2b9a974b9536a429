"""Smaller pictures: the low-resolution side of super-resolution pairs, and pixelation.

``imresize`` lives in :mod:`restore.resample`, below the degradations, because upscaling needs it too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.params import Params
from restore.errors import UsageError
from restore.resample import KERNELS, imresize

__all__ = ["DOWNSAMPLE", "PIXELATE", "downsample", "imresize", "pixelate"]


def downsample(x: Tensor, *, seed: Tensor, scale: Tensor, kernel: list[str], bits: Tensor) -> Tensor:
    """``ceil(H / scale) x ceil(W / scale)``; bicubic with 8 bits is MATLAB's on uint8.

    Args:
        scale: B whole factors, all the same.
        kernel: B names from ``restore.resample.KERNELS``, all the same.
        bits: B roundings after each axis, all the same; 0: none, unclipped and differentiable.

    Raises:
        UsageError: samples of one batch that ask for different factors.
    """
    wanted = set(zip(scale.tolist(), kernel, bits.tolist(), strict=True))
    if len(wanted) != 1:
        raise UsageError(
            f"downsample: expected one scale, kernel and bits for the batch, got {len(wanted)} different",
            hint="apply the samples one at a time",
        )
    s, name, depth = wanted.pop()
    return imresize(x, scale=1 / s, kernel=name, bits=int(depth))


def pixelate(x: Tensor, *, seed: Tensor, size: Tensor) -> Tensor:
    """Means over ``size * H x size * W`` cells, shown as blocks (ImageNet-C: box down, box up).

    A pixel on the edge of two blocks gets its share of both: with whole pixels, uneven blocks would move
    the picture, and more so at some mild settings than at stronger ones.

    Args:
        size: B fractions of the side, in (0, 1]; 1 is the identity.
    """
    h, w = x.shape[-2:]
    made = []
    for part, fraction in zip(x.split(1), size.tolist(), strict=True):
        cells = (max(int(h * fraction), 1), max(int(w * fraction), 1))
        small = imresize(part, size=cells, kernel="area")
        made.append(imresize(small, size=(h, w), kernel="area"))
    return torch.cat(made)


def _smaller(shape: tuple[int, ...], params: Params) -> tuple[int, ...]:
    if not bool((params.strength > 0).all()):
        return shape
    s = float(params.values["scale"][0])
    return (*shape[:-2], math.ceil(shape[-2] / s), math.ceil(shape[-1] / s))


DOWNSAMPLE = Degradation(
    "downsample",
    downsample,
    {
        "scale": Knob(
            "whole factor by which each side shrinks; one for the whole batch",
            span=(2, 4),
            legal=(1, 16),
            levels={224: (2, 2, 3, 3, 4)},
            whole=True,
            shared=True,
        ),
        "kernel": Knob(
            "how samples are weighted; bicubic is MATLAB's", choices=KERNELS, default="bicubic", shared=True
        ),
        "bits": Knob(
            "rounding and clipping after each axis, as on uint8; 0: none",
            legal=(0, 16),
            default=8,
            whole=True,
            shared=True,
        ),
    },
    keeps_size=False,
    resized=_smaller,
)
PIXELATE = Degradation(
    "pixelate",
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
