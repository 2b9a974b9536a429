"""Operators by name, for pictures of a generator's size: how a picture came to be what is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from restore.degradations.operators import (
    Operator,
    Shape,
    blur,
    compressed_sensing,
    downsample,
    identity,
    masking,
)
from restore.errors import UsageError, unknown
from restore.files import read_picture
from restore.image import array_to_tensor, to_grey
from restore.inverse.gan.draws import Draws
from restore.names import parse_name


def operator_named(spec: str, shape: Shape) -> tuple[Operator, float]:
    """The operator and the noise (standard deviation in units of [0, 1]) that come with it.

    ``identity``; ``noise:sigma=25`` (units of 255); ``downsample:scale=4``; ``blur:sigma=1.5`` (px);
    ``mask:file=mask.png`` (dark: gone) or ``mask:top=..,left=..,height=..,width=..`` (gone; without values a box of
    0.4 H x 0.2 W in the middle); ``compressed-sensing:ratio=0.25,seed=0``.

    Raises:
        UsageError: an unknown name or option, or a value out of range.
    """
    name, options = parse_name(spec)
    if name not in _TABLE:
        raise unknown("operator", name, _TABLE)
    try:
        return _TABLE[name](shape, **options)
    except TypeError as error:
        raise UsageError(
            f"operator {spec!r}: {error}", hint=f"options: {_OPTIONS[name] or 'none'}"
        ) from error


def _identity(shape: Shape) -> tuple[Operator, float]:
    return identity(shape), 0.0


def _noise(shape: Shape, sigma: float) -> tuple[Operator, float]:
    if not sigma >= 0:
        raise UsageError(f"expected sigma from 0 on, got {sigma}")
    return identity(shape), float(sigma) / 255


def _downsample(shape: Shape, scale: int) -> tuple[Operator, float]:
    if not isinstance(scale, int) or scale < 1 or shape[1] % scale:
        raise UsageError(f"expected a whole scale that divides {shape[1]}, got {scale}")
    return downsample(shape, scale=scale), 0.0


def _blur(shape: Shape, sigma: float) -> tuple[Operator, float]:
    if not 0 < sigma < shape[1] / 4:
        raise UsageError(f"expected sigma above 0 and below {shape[1] / 4:g} px, got {sigma}")
    reach = max(1, round(3 * sigma))
    line = torch.exp(-torch.arange(-reach, reach + 1).double().square() / (2 * sigma**2))
    psf = torch.outer(line, line)
    return blur((psf / psf.sum()).float(), shape), 0.0


def _mask(
    shape: Shape,
    file: str = "",
    top: int | None = None,
    left: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> tuple[Operator, float]:
    _, h, w = shape
    if file:
        drawn = to_grey(array_to_tensor(read_picture(Path(file)).pixels))
        if tuple(drawn.shape[2:]) != (h, w):
            raise UsageError(f"expected a mask of {w} x {h}, got {drawn.shape[3]} x {drawn.shape[2]}")
        return masking((drawn > 0.5).float(), shape), 0.0
    high, wide = height or round(0.4 * h), width or round(0.2 * w)
    y, x = (h - high) // 2 if top is None else top, (w - wide) // 2 if left is None else left
    keep = torch.ones(1, 1, h, w)
    keep[..., y : y + high, x : x + wide] = 0
    return masking(keep, shape), 0.0


def _compressed(shape: Shape, ratio: float, seed: int = 0) -> tuple[Operator, float]:
    n = shape[0] * shape[1] * shape[2]
    if not 0 < ratio <= 1:
        raise UsageError(f"expected a ratio above 0, up to 1, got {ratio}")
    return compressed_sensing(shape, count=max(1, round(ratio * n)), seed=seed), 0.0


_TABLE: dict[str, Callable[..., tuple[Operator, float]]] = {
    "identity": _identity,
    "noise": _noise,
    "downsample": _downsample,
    "blur": _blur,
    "mask": _mask,
    "compressed-sensing": _compressed,
}
_OPTIONS: dict[str, str] = {
    "identity": "",
    "noise": "sigma",
    "downsample": "scale",
    "blur": "sigma",
    "mask": "file, top, left, height, width",
    "compressed-sensing": "ratio, seed",
}


def is_picture(operator: Operator) -> bool:
    """Whether what it measures is a picture that can lie in a file."""
    return len(operator.output_shape) == 3 and operator.output_shape[0] in (1, 3)


def measure(operator: Operator, x: Tensor, noise_sigma: float, *, seeds: Sequence[int]) -> Tensor:
    """A x plus noise from each picture's own seed (``seeds``)."""
    y = operator(x)
    if noise_sigma:
        y = y + noise_sigma * Draws(seeds, "measurement").normal(*y.shape[1:]).to(y)
    return y
