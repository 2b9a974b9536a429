"""Haze at night: the scene dimmed, little light in the air, and glows around what is bright.

I = L J t + A (1 - t) with the air's light A = a + g G: a dark sky, and lamplight scattered by the air (Li, Tan &
Brown 2015 add the glow; the rest is our own).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import colour
from restore.degradations.base import Degradation
from restore.degradations.blur import convolve
from restore.degradations.depth import DEPTH, Depth, depths, with_depth
from restore.degradations.haze import beta_knob, each, space_knob, transmission
from restore.degradations.knob import Knob
from restore.degradations.medium import Medium, colour_of, join, scatter
from restore.degradations.params import Params
from restore.degradations.psf import gaussian_psf
from restore.errors import RestoreError

# Lamps are looked for and their light is spread at this short side.
_GLOW_SIDE = 96


def night_haze(
    x: Tensor,
    *,
    seed: Tensor,
    beta: Tensor,
    light: Tensor,
    ambient: Tensor,
    glow: Tensor,
    warmth: Tensor,
    patchiness: Tensor,
    space: list[str],
    depth: Depth = None,
) -> Tensor:
    """Haze at night over ``B x C x H x W``, not clipped.

    Args:
        beta: B optical depths at the farthest point.
        light: B factors on the scene's own light.
        ambient: B brightnesses of the dark air as seen.
        glow: B brightnesses as seen that the air reaches around the brightest lamp.
        warmth: B casts of the lamps' light: 0 white, 1 sodium orange, -1 a cold blue.
        patchiness, space, depth: see :func:`restore.degradations.haze.haze`.
    """
    rows = _nights(x, seed, beta, light, ambient, glow, warmth, patchiness, space, depth=depth)
    return torch.cat([m.compose(part) for part, m in zip(x.split(1), rows, strict=True)])


def maps(x: Tensor, params: Params, *, depth: Depth = None) -> Medium:
    """Transmission and airlight that recorded parameters stand for (``strength`` 1); the lamps are seen in ``x``.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "night-haze":
        raise RestoreError(f"expected parameters of night-haze, got {params.name!r}")
    return join(list(_nights(x, params.seeds, **with_depth(params.values, depth))))


def glows(x: Tensor) -> Tensor:
    """How much lamplight the air around each pixel scatters: ``B x 1 x H x W`` in [0, 1].

    The brightest hundredth of the luminance (and at least a quarter of white), spread by a narrow and a wide
    Gaussian: the short description of an atmospheric point spread function (Narasimhan & Nayar 2003).
    """
    h, w = x.shape[-2:]
    ratio = min(_GLOW_SIDE / min(h, w), 1.0)
    size = (max(round(h * ratio), 1), max(round(w * ratio), 1))
    small = F.interpolate(colour.luminance(colour.to_linear(x.float().contiguous())), size=size, mode="area")
    made = []
    for part in small.split(1):
        cut = torch.quantile(part, 0.99).clamp(0.25, 0.9)
        lamps = ((part - 0.9 * cut) / (0.1 * cut)).clamp(0, 1)
        reach = min(size)
        wide = convolve(lamps, gaussian_psf(0.16 * reach))
        narrow = convolve(lamps, gaussian_psf(0.04 * reach))
        spread = 0.5 * narrow / narrow.max().clamp(min=0.05) + 0.5 * wide / wide.max().clamp(min=0.05)
        made.append(F.interpolate(spread, size=(h, w), mode="bilinear", align_corners=False).clamp(0, 1))
    return torch.cat(made)


def _nights(
    x: Tensor, seed: Tensor, beta: Tensor, light: Tensor, ambient: Tensor, glow: Tensor, warmth: Tensor,
    patchiness: Tensor, space: list[str], depth: Depth,
) -> Iterator[Medium]:  # fmt: skip
    planes = depths(seed, tuple(x.shape), depth)
    columns = each(seed, beta, light, ambient, glow, warmth, patchiness, space)
    for part, d, (s, b, dim, a, g, w, k, kind) in zip(x.split(1), planes, columns, strict=True):
        t = transmission(d, seed=s, beta=b, patchiness=k)
        # Sodium lamps leave little blue, mercury and LED lamps little red.
        cast = (1.0, 1 - 0.25 * w, 1 - 0.6 * w) if w >= 0 else (1 + 0.4 * w, 1 + 0.15 * w, 1.0)
        lamps = colour_of([g * c for c in cast], x.shape[1], kind)
        sky = colour_of([a * (0.6 + 0.4 * c) for c in cast], x.shape[1], kind)
        air = sky + lamps * glows(part.detach()).to(sky)
        yield scatter(t, air, kind, light=dim)


NIGHT_HAZE = Degradation(
    "night-haze",
    night_haze,
    {
        "beta": beta_knob(0.6, 1.0, 1.5, 2.1, 2.8),
        "light": Knob(
            "factor on the scene's light",
            span=(0.2, 0.65),
            legal=(0.0, 1.0),
            levels={224: (0.65, 0.5, 0.4, 0.32, 0.26)},
        ),
        "ambient": Knob("brightness of the dark air as seen", span=(0.12, 0.3), legal=(0.0, 1.0)),
        "glow": Knob("brightness of the air at the brightest lamp", span=(0.4, 0.8), legal=(0.0, 1.0)),
        "warmth": Knob("cast of the lamps: 1 sodium, 0 white, -1 cold", span=(-0.4, 1.0), legal=(-1.0, 1.0)),
        "patchiness": Knob("kappa of beta (1 + kappa (fBm - 0.5))", legal=(0.0, 2.0), default=0.0),
        "space": space_knob("linear"),
        "depth": DEPTH,
    },
)
