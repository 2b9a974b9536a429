"""The one table of training-free methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from restore.classical.back_projection import back_projection
from restore.classical.blind_deblur import blind_deblur
from restore.classical.bm3d import bm3d
from restore.classical.clahe import clahe
from restore.classical.deconvolve import richardson_lucy, unsupervised_wiener, wiener
from restore.classical.dehaze import dehaze
from restore.classical.dejpeg import dejpeg
from restore.classical.denoise import nlm
from restore.classical.derain import derain
from restore.classical.dictionary import CODINGS, ksvd
from restore.classical.inpaint import biharmonic, navier_stokes, telea
from restore.classical.local import bilateral, median
from restore.classical.lowlight import equalize, gamma, lime
from restore.classical.sliding_dct import sliding_dct
from restore.classical.sparse_gradients import sparse_deconvolve
from restore.classical.transform_learning import learned_transform
from restore.classical.underwater import underwater, white_balance
from restore.classical.upscale import METHODS, upscale
from restore.classical.variation import tikhonov, tv
from restore.classical.wavelet import wavelet
from restore.degradations.psf import disc_psf, gaussian_psf
from restore.restorers.method import Method, Option

SIGMA = Option("standard deviation of the noise in units of 255; missing: estimated", 0, 255)
SCALE = Option("output pixels per input pixel along a side", 1, 16, whole=True)
PSF = {
    "blur": Option("standard deviation of a Gaussian point spread function, pixels", 0, 50),
    "disc": Option("radius of an out-of-focus disc, pixels", 0, 50),
    "psf": Option("a file with a point spread function of odd sides: a .npy or a picture", text=True),
}


def _denoiser(function: Callable[..., Tensor], description: str, /, **row: Any) -> Method:
    return Method(function, "denoise", description, {"sigma": SIGMA, **row.pop("options", {})}, **row)


def _deconvolver(function: Callable[..., Tensor], description: str, options: Mapping[str, Option]) -> Method:
    """A method that needs a psf: here one that is given, a Gaussian, a disc, or a disc softened by a Gaussian."""

    def run(
        x: Tensor,
        *,
        blur: float = 0.0,
        disc: float = 0.0,
        psf: Tensor | None = None,
        sigma: Any = None,
        **values: Any,
    ) -> Tensor:
        if psf is None:
            psf = disc_psf(disc, alias=blur) if disc > 0 else gaussian_psf(blur)
        if sigma is None:
            return function(x, psf, **values)
        levels = torch.as_tensor(sigma, dtype=torch.float64).flatten().expand(len(x)).tolist()
        parts = zip(x.split(1), levels, strict=True)
        return torch.cat([function(part, psf, sigma=s, **values) for part, s in parts])

    return Method(run, "deblur", description, {**PSF, **options}, radius=128)


def _identity(x: Tensor) -> Tensor:
    return x.clone()


def _interpolation(method: str) -> Method:
    # bits=8: files hold 8 bits, and published bicubic scores round after each axis as MATLAB does.
    return Method(
        lambda x, scale, bits=8: upscale(x, scale, method, bits=int(bits)),
        "upscale",
        f"{method} interpolation (MATLAB's, where it has one)",
        {"scale": SCALE, "bits": Option("0: floating values, 8: rounded as MATLAB does", 0, 16, whole=True)},
        radius=8,
    )


METHODS_TABLE: dict[str, Method] = {
    "identity": Method(_identity, "none", "the picture as it is: the row every other one must beat"),
    "bm3d": _denoiser(
        bm3d,
        "similar blocks denoised together (BM3D, in colour CBM3D)",
        options={"stages": Option("1: hard thresholding alone", 1, 2, whole=True)},
        radius=108,
        multiple=3,
    ),
    "nlm": _denoiser(nlm, "non-local means (scikit-image)", radius=16),
    "tv": _denoiser(
        tv,
        "total variation (Chambolle)",
        options={
            "weight": Option("of the penalty, in units of sigma"),
            "iterations": Option("at most so many", 1, whole=True),
        },
        radius=64,
    ),
    "tikhonov": _denoiser(
        tikhonov,
        "smoothness of the gradient (Tikhonov)",
        options={"weight": Option("of the penalty")},
        radius=64,
    ),
    "sliding-dct": _denoiser(
        sliding_dct,
        "thresholded cosine transform of overlapping blocks",
        options={
            "block": Option("side, pixels", 2, 64, whole=True),
            "step": Option("pixels", 1, 64, whole=True),
            "threshold": Option("in units of sigma"),
        },
        whole=True,
        bytes_per_pixel=1800,
    ),
    "wavelet": _denoiser(
        wavelet,
        "wavelet shrinkage (BayesShrink)",
        options={
            "moments": Option("vanishing moments of the wavelet", 1, 10, whole=True),
            "levels": Option("scales", 1, 8, whole=True),
            "shifts": Option("cycle spinning along each side", 1, 8, whole=True),
        },
        whole=True,
        bytes_per_pixel=300,
    ),
    "ksvd": _denoiser(
        ksvd,
        "a dictionary learned from the picture (K-SVD)",
        options={
            "coding": Option("how patches are coded", choices=CODINGS),
            "step": Option("pixels between patches", 1, 8, whole=True),
        },
        whole=True,
        bytes_per_pixel=1400,
    ),
    "learned-transform": _denoiser(
        learned_transform,
        "an orthonormal transform learned from the picture",
        whole=True,
        bytes_per_pixel=2600,
    ),
    "bilateral": _denoiser(
        bilateral,
        "mean of near and similar pixels (OpenCV)",
        options={"spread": Option("pixels", 0.1, 20), "contrast": Option("in units of sigma", 0.1)},
        radius=64,
    ),
    "median": Method(
        median, "denoise", "median of a window", {"size": Option("odd, pixels", 1, 31, whole=True)}, radius=16
    ),
    "wiener": _deconvolver(wiener, "Wiener deconvolution", {"sigma": SIGMA}),
    "unsupervised-wiener": _deconvolver(
        unsupervised_wiener, "Wiener-Hunt deconvolution that balances itself (scikit-image)", {}
    ),
    "richardson-lucy": _deconvolver(
        richardson_lucy,
        "Richardson-Lucy deconvolution with total variation",
        {
            "iterations": Option("of the update", 1, 1000, whole=True),
            "tv": Option("weight of the total variation", 0, 0.1),
        },
    ),
    "hyper-laplacian": _deconvolver(
        sparse_deconvolve,
        "deconvolution with sparse gradients (Krishnan & Fergus)",
        {"sigma": SIGMA, "power": Option("of the gradients; 1: total variation", 0.3, 1)},
    ),
    "blind-deblur": Method(
        lambda x, **values: blind_deblur(x, **values).image,
        "deblur",
        "finds the point spread function and takes it out, where it is sure of it",
        {
            "size": Option("odd side of the psf, pixels", 3, 255, whole=True),
            "agreement": Option("of the psfs of two halves, below which nothing is done; 0: always", 0, 1),
        },
        whole=True,
        bytes_per_pixel=1200,
    ),
    "gamma": Method(
        gamma,
        "lowlight",
        "a power of the values; missing: to a mean luma of 0.45",
        {"gamma": Option("below 1 brightens", 0.01, 10)},
        whole=True,
        bytes_per_pixel=50,
    ),
    "equalize": Method(
        equalize, "lowlight", "histogram equalisation of the luma", whole=True, bytes_per_pixel=90
    ),
    "clahe": Method(
        clahe,
        "lowlight",
        "contrast-limited adaptive histogram equalisation (OpenCV)",
        {
            "clip": Option("largest bin, in units of the mean one", 0.1),
            "tiles": Option("along each side", 1, 64, whole=True),
        },
        whole=True,
        bytes_per_pixel=120,
    ),
    "lime": Method(
        lime,
        "lowlight",
        "illumination map (LIME)",
        {"gamma": Option("1: all of it", 0, 1)},
        whole=True,
        bytes_per_pixel=180,
    ),
    "dcp": Method(
        lambda x, **values: dehaze(x, **values).image,
        "dehaze",
        "dark channel prior with guided filter",
        {
            "radius": Option("of the dark channel, pixels", 0, 100, whole=True),
            "omega": Option("part of the haze removed", 0, 1),
        },
        whole=True,
        bytes_per_pixel=720,
    ),
    "white-balance": Method(
        white_balance,
        "underwater",
        "red compensation and grey world",
        {"alpha": Option("how much red is put back", 0, 2)},
        whole=True,
        bytes_per_pixel=90,
    ),
    "fusion": Method(
        underwater,
        "underwater",
        "colour balance and multi-scale fusion (Ancuti)",
        {"alpha": Option("how much red is put back", 0, 2)},
        whole=True,
        bytes_per_pixel=380,
    ),
    "directional": Method(
        derain,
        "derain",
        "sparse streaks of one direction",
        {"angle": Option("from the vertical, degrees", -90, 90)},
        whole=True,
        bytes_per_pixel=230,
    ),
    "reapplication": Method(
        dejpeg,
        "dejpeg",
        "mean over shifted JPEGs (Nosratinia)",
        {
            "quality": Option("missing: found", 1, 100, whole=True),
            "shifts": Option("a side", 1, 8, whole=True),
        },
        whole=True,
        bytes_per_pixel=150,
    ),
    "telea": Method(
        telea,
        "inpaint",
        "holes filled by fast marching (Telea)",
        {"radius": Option("of the neighbourhood, pixels", 1, 100)},
        whole=True,
        mask=True,
        bytes_per_pixel=130,
    ),
    "navier-stokes": Method(
        navier_stokes,
        "inpaint",
        "holes filled along their isophotes (Navier-Stokes)",
        {"radius": Option("of the neighbourhood, pixels", 1, 100)},
        whole=True,
        mask=True,
        bytes_per_pixel=130,
    ),
    "biharmonic": Method(
        biharmonic,
        "inpaint",
        "holes filled as smoothly as can be (biharmonic)",
        whole=True,
        mask=True,
        bytes_per_pixel=600,  # grows with the holes: a third of the pixels missing
    ),
    "back-projection": Method(
        back_projection,
        "upscale",
        "iterative back-projection on bicubic",
        {"scale": SCALE, "iterations": Option("0: bicubic", 0, 1000, whole=True)},
        radius=64,
    ),
    **{name: _interpolation(name) for name in METHODS},
}
