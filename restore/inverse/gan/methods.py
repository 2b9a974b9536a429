"""The one table of inversion methods by name, with their options written as everywhere: ``sphinx:noise=true``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from restore.errors import UsageError, did_you_mean, unknown
from restore.inverse.gan.codes import Image2StyleGAN, PNorm, Projector
from restore.inverse.gan.controls import DeepImagePrior, TotalVariation
from restore.inverse.gan.latents import CSGM, PULSE, LatentPGD, MultiCode
from restore.inverse.gan.layers import ILO, BDInvert
from restore.inverse.gan.method import Method
from restore.inverse.gan.sphinx import Sphinx
from restore.names import parse_name

METHODS: dict[str, Callable[..., Method]] = {
    "sphinx": Sphinx,
    "image2stylegan": Image2StyleGAN,
    "pnorm": PNorm,
    "projector": Projector,
    "csgm": CSGM,
    "pgd": LatentPGD,
    "ilo": ILO,
    "bdinvert": BDInvert,
    "pulse": PULSE,
    "mganprior": MultiCode,
    "tv": TotalVariation,
    "dip": DeepImagePrior,
}


def method_named(spec: str, *, known: Mapping[str, Callable[..., Method]] = METHODS, **more: Any) -> Method:
    """The method ``spec`` asks for, from the table ``known``; ``more`` are options that have no written form.

    Raises:
        UsageError: an unknown name, or an option it does not have.
    """
    name, options = parse_name(spec)
    if name not in known:
        raise unknown("inversion method", name, known)
    kind = known[name]
    takes = set(inspect.signature(kind).parameters)
    for key in options:
        if key not in takes:
            raise UsageError(f"{name} has no option {key!r}", hint=did_you_mean(key, takes))
    try:
        return kind(**options, **more)
    except TypeError as error:
        raise UsageError(f"{spec}: {error}") from error
