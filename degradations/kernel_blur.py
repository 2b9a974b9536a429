"""Blur by the kernels of the real-world pipelines: a fixed size, several shapes, ringing (Wang et al. 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.blur import BORDERS, convolve
from restore.degradations.knob import Knob
from restore.degradations.params import Params
from restore.degradations.psf import shaped_psf, sinc_psf
from restore.errors import RestoreError

KINDS = ("gaussian", "generalised", "plateau", "sinc")


def kernel_blur(
    x: Tensor,
    *,
    seed: Tensor,
    kind: list[str],
    size: Tensor,
    sigma: Tensor,
    sigma2: Tensor,
    angle: Tensor,
    beta: Tensor,
    cutoff: Tensor,
    shift: Tensor,
    border: list[str],
) -> Tensor:
    """True convolution with :func:`shaped_psf`, or with :func:`sinc_psf` for the kind "sinc".

    Args:
        size: B sides in pixels, whole; even ones count as the next odd one.
        sigma: B standard deviations in pixels along ``angle`` (degrees); ``sigma2`` across, 0: the same.
        beta: B shapes of "generalised" and "plateau".
        cutoff: B cutoffs of "sinc", radians per pixel.
        shift: B offsets of the kernel, pixels right and down (not of "sinc").
    """
    columns = [t.tolist() for t in (size, sigma, sigma2, angle, beta, cutoff, shift)]
    made = [
        convolve(part, _psf(how, *values), border=edge)
        for part, how, edge, *values in zip(x.split(1), kind, border, *columns, strict=True)
    ]
    return torch.cat(made)


def kernel_psfs(params: Params) -> list[Tensor]:
    """The point spread functions that recorded parameters stand for, one per sample.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "kernel-blur":
        raise RestoreError(f"expected parameters of kernel-blur, got {params.name!r}")
    keys = ("size", "sigma", "sigma2", "angle", "beta", "cutoff", "shift")
    columns = [params.values[k].tolist() for k in keys]
    return [_psf(how, *values) for how, *values in zip(params.values["kind"], *columns, strict=True)]


def _psf(
    kind: str,
    size: float,
    sigma: float,
    sigma2: float,
    angle: float,
    beta: float,
    cutoff: float,
    shift: float,
) -> Tensor:
    side = 2 * (int(size) // 2) + 1
    if kind == "sinc":
        return sinc_psf(side, cutoff)
    return shaped_psf(side, sigma, sigma2 or None, angle, kind=kind, beta=beta, shift=shift)


# Ranges: Real-ESRGAN, first stage. Severity: Gaussians of its widths [ours].
KERNEL_BLUR = Degradation(
    "kernel-blur",
    kernel_blur,
    {
        "kind": Knob("shape of the kernel", choices=KINDS, default="gaussian"),
        "size": Knob("side of the kernel, pixels, odd", span=(7, 21), legal=(1, 201), default=21, whole=True),
        "sigma": Knob(
            "standard deviation along angle, pixels",
            span=(0.2, 3.0),
            legal=(0.0, 200.0),
            levels={224: (0.5, 1.0, 1.5, 2.2, 3.0)},
        ),
        "sigma2": Knob("standard deviation across, pixels; 0: the same", legal=(0.0, 200.0), default=0.0),
        "angle": Knob("direction of sigma, degrees counter-clockwise", legal=(-360.0, 360.0), default=0.0),
        "beta": Knob("shape of generalised and plateau", span=(0.5, 4.0), legal=(0.05, 20.0), default=1.0),
        "cutoff": Knob(
            "cutoff of the sinc, radians per pixel",
            span=(math.pi / 5, math.pi),
            legal=(0.1, math.pi),
            default=math.pi / 3,
        ),
        "shift": Knob(
            "offset of the kernel, pixels right and down (against a sampling that is off)",
            legal=(-20.0, 20.0),
            default=0.0,
        ),
        "border": Knob("what lies beyond the edge", choices=BORDERS, default="reflect"),
    },
)
