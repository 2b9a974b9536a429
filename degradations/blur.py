"""Blur: Gaussian, out of focus, camera shake. Each sample has a point spread function of its own.

Samples are blurred one at a time, so that the result does not depend on the batch, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from restore.convolve import BORDERS, convolve, pad
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.params import Params
from restore.degradations.psf import disc_psf, gaussian_psf, motion_psf
from restore.errors import RestoreError

__all__ = [
    "BORDERS",
    "DEFOCUS",
    "GAUSSIAN",
    "MOTION",
    "convolve",
    "disc_psf",
    "gaussian_psf",
    "motion_psf",
    "pad",
    "psfs",
]


def gaussian_blur(
    x: Tensor, *, seed: Tensor, sigma: Tensor, sigma2: Tensor, angle: Tensor, border: list[str]
) -> Tensor:
    """Gaussian blur, cut at 4 sigma.

    Args:
        sigma: B standard deviations in pixels, along ``angle``.
        sigma2: B standard deviations across; 0: the same as ``sigma``.
        angle: B angles in degrees.
    """
    made = [
        convolve(part, gaussian_psf(s, s2 or None, a), border=edge)
        for part, s, s2, a, edge in _each(x, sigma, sigma2, angle, border)
    ]
    return torch.cat(made)


def defocus_blur(x: Tensor, *, seed: Tensor, radius: Tensor, alias: Tensor, border: list[str]) -> Tensor:
    """Out of focus: a disc of ``radius`` pixels, its edge softened by a Gaussian of sigma ``alias``."""
    made = [convolve(p, disc_psf(r, alias=a), border=e) for p, r, a, e in _each(x, radius, alias, border)]
    return torch.cat(made)


def motion_blur(x: Tensor, *, seed: Tensor, length: Tensor, exposure: Tensor, border: list[str]) -> Tensor:
    """Camera shake along a random path of ``length`` pixels, made from the sample's seed."""
    made = [
        convolve(part, motion_psf(size, seed=s, exposure=open_), border=edge)
        for part, s, size, open_, edge in _each(x, seed, length, exposure, border)
    ]
    return torch.cat(made)


def psfs(params: Params) -> list[Tensor]:
    """The point spread functions that recorded parameters stand for, one per sample (for deconvolution).

    Raises:
        RestoreError: parameters of something that is no blur.
    """
    v, seeds = (
        {k: t.tolist() for k, t in params.values.items() if isinstance(t, Tensor)},
        params.seeds.tolist(),
    )
    if params.name == "blur":
        rows = zip(v["sigma"], v["sigma2"], v["angle"], strict=True)
        return [gaussian_psf(s, s2 or None, a) for s, s2, a in rows]
    if params.name == "defocus":
        return [disc_psf(r, alias=a) for r, a in zip(v["radius"], v["alias"], strict=True)]
    if params.name == "motion":
        rows = zip(v["length"], seeds, v["exposure"], strict=True)
        return [motion_psf(size, seed=int(s), exposure=e) for size, s, e in rows]
    raise RestoreError(f"expected parameters of blur, defocus or motion, got {params.name!r}")


def _each(x: Tensor, *columns: Tensor | list[str]) -> Iterable[tuple]:
    """Each sample ``1 x C x H x W`` with its own values."""
    plain = [c.tolist() if isinstance(c, Tensor) else c for c in columns]
    return zip(x.split(1), *plain, strict=True)


_BORDER = Knob("what lies beyond the edge", choices=BORDERS, default="reflect")

GAUSSIAN = Degradation(
    "blur",
    gaussian_blur,
    {
        # ImageNet-C, gaussian_blur.
        "sigma": Knob(
            "standard deviation, pixels",
            span=(0.2, 3.0),
            legal=(0.0, 200.0),
            levels={32: (0.4, 0.6, 0.7, 0.8, 1.0), 64: (0.5, 0.75, 1.0, 1.25, 1.5), 224: (1, 2, 3, 4, 6)},
            is_length=True,
        ),
        "sigma2": Knob("standard deviation across, pixels; 0: the same", legal=(0.0, 200.0), default=0.0),
        "angle": Knob("direction of sigma, degrees counter-clockwise", legal=(-360.0, 360.0), default=0.0),
        "border": _BORDER,
    },
)
DEFOCUS = Degradation(
    "defocus",
    defocus_blur,
    {
        # ImageNet-C, defocus_blur. Between 32 and 64 px its two columns are no common scale: severity 2 can
        # be weaker than severity 1 there.
        "radius": Knob(
            "radius of the disc, pixels",
            span=(0.5, 6.0),
            legal=(0.0, 200.0),
            levels={32: (0.3, 0.4, 0.5, 1.0, 1.5), 64: (0.5, 1.0, 1.5, 2.5, 3.0), 224: (3, 4, 6, 8, 10)},
            is_length=True,
        ),
        "alias": Knob(
            "sigma of the Gaussian that softens the disc, pixels",
            legal=(0.0, 20.0),
            levels={
                32: (0.4, 0.5, 0.6, 0.2, 0.1),
                64: (0.6, 0.1, 0.1, 0.01, 0.1),
                224: (0.1, 0.5, 0.5, 0.5, 0.5),
            },
            default=0.0,
            is_length=True,
        ),
        "border": _BORDER,
    },
)
MOTION = Degradation(
    "motion",
    motion_blur,
    {
        # Our own table: paths as widely spread as ImageNet-C's motion_blur lines, which shift the picture.
        "length": Knob(
            "length of the path, pixels",
            span=(2.0, 60.0),
            legal=(0.0, 2000.0),
            levels={32: (5, 8, 10, 12, 14), 64: (5, 8, 11, 14, 17), 224: (16, 28, 44, 60, 80)},
            is_length=True,
        ),
        "exposure": Knob("the part of the path that is seen", legal=(0.0, 1.0), default=1.0),
        "border": _BORDER,
    },
)
