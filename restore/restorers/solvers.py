"""The one table of methods that are told how the picture came about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from restore.classical.inpaint import biharmonic, navier_stokes, telea
from restore.degradations.operators import Operator
from restore.errors import ImageError
from restore.inverse import Solution, deep_image_prior, plug_and_play, total_variation
from restore.inverse.normal import elementary
from restore.inverse.solution import data_consistency
from restore.restorers.method import Option
from restore.restorers.methods import METHODS_TABLE, PSF, SIGMA

# (y, operator, sigma=..., **values) -> Solution; those with a denoiser get it as ``denoiser``.
Solver = Callable[..., Solution]


@dataclass(frozen=True)
class KnownMethod:
    """A row of the table: ``function(y, operator, sigma=..., **values)``.

    Args:
        options: the values it takes besides.
        denoises: it wants a denoiser; ``denoiser=NAME`` chooses which.
        memory: held at the peak, in units of the picture as 8-bit RGB.
    """

    function: Solver
    task: str
    description: str
    options: Mapping[str, Option]
    denoises: bool = False
    memory: float = 80.0

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the values."""
        return tuple(self.options)


def _deconvolver(name: str) -> KnownMethod:
    """A training-free deconvolution with the operator's psf; the borders are its own affair."""
    method = METHODS_TABLE[name]
    options = {k: v for k, v in method.options.items() if k not in PSF}

    def run(y: Tensor, operator: Operator, *, sigma: Tensor, **values: Any) -> Solution:
        steps = elementary(operator)
        if [s.name for s in steps] != ["blur"]:
            raise ImageError(f"{name} undoes one blur, but this picture went through: {operator.name}")
        psf = steps[0].parts["psf"][0]
        told = {**values, **({"sigma": sigma} if "sigma" in options else {})}
        x = method.function(y, psf=psf, **told)
        return Solution(x, data_consistency(x, y, operator, sigma), int(values.get("iterations", 1)))

    return KnownMethod(run, "deblur", method.description, options | {"sigma": SIGMA})


def _filler(name: str, function: Callable[..., Tensor], description: str, **options: Option) -> KnownMethod:
    """A training-free filling of holes; what is known is left as it is."""

    def run(y: Tensor, operator: Operator, *, sigma: Tensor, **values: Any) -> Solution:
        steps = elementary(operator)
        if [s.name for s in steps] != ["masking"]:
            raise ImageError(f"{name} fills holes, but this picture went through: {operator.name}")
        keep = steps[0].parts["keep"].to(y).expand(len(y), 1, *y.shape[-2:])
        x = function(y, (keep < 1).to(y), **values)
        return Solution(x, data_consistency(x, y, operator, sigma), 1)

    return KnownMethod(run, "inpaint", description, {"sigma": SIGMA, **options})


_ITERATIONS = Option("at most so many", 1, whole=True)
_RADIUS = Option("of the neighbourhood a pixel is made from, pixels", 1, 100)

SOLVERS: dict[str, KnownMethod] = {
    "pnp": KnownMethod(
        plug_and_play,
        "inverse",
        "plug-and-play: a denoiser as the prior for any known linear degradation",
        {
            "sigma": SIGMA,
            "denoiser": Option("a restorer that takes sigma", text=True),
            "steps": Option("of the splitting; missing: 16 for a blur to 40 for holes", 1, 1000, whole=True),
            "start": Option("first noise level of the denoiser, in units of 255", 0.5, 255),
            "weight": Option("of the prior", 1e-6),
            "fresh": Option("share of fresh noise at every step; missing: 1 for holes, else 0", 0, 1),
        },
        denoises=True,
    ),
    "tv-inverse": KnownMethod(
        total_variation,
        "inverse",
        "total variation for any known linear degradation",
        {"sigma": SIGMA, "weight": Option("of the penalty, in units of sigma"), "iterations": _ITERATIONS},
    ),
    "dip": KnownMethod(
        deep_image_prior,
        "inverse",
        "deep image prior: a network fitted to each picture, slow (minutes)",
        {"sigma": SIGMA, "iterations": _ITERATIONS, "seed": Option("of weights and noise", whole=True)},
        memory=3000.0,
    ),
    "telea": _filler("telea", telea, "holes filled by fast marching (Telea; OpenCV)", radius=_RADIUS),
    "navier-stokes": _filler(
        "navier-stokes", navier_stokes, "holes filled along isophotes (Bertalmio; OpenCV)", radius=_RADIUS
    ),
    "biharmonic": _filler("biharmonic", biharmonic, "holes filled as smoothly as can be (scikit-image)"),
    **{name: _deconvolver(name) for name, row in METHODS_TABLE.items() if "psf" in row.options},
}
