"""The weather of ImageNet-C (Hendrycks & Dietterich 2019): fog, frost, snow.

Written from the published formulas and tables. Frost overlays photographs of ice in the original; here the ice is
drawn (``ice``), as bright and as varied as theirs. Spatter is in ``imagenet_c_spatter``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.filters import each, enlarge, shake
from restore.degradations.ice import ice_part
from restore.degradations.knob import Knob
from restore.degradations.severity import Row
from restore.image import to_grey

_TOGETHER = 8  # plasmas made at a time, few enough to stay in the cache


def fog(x: Tensor, *, seed: Tensor, weight: Tensor, decay: Tensor) -> Tensor:
    """``(x + w plasma) m / (m + w)`` with m the brightest value of the picture.

    Args:
        weight: B strengths w.
        decay: B roughness decays of the plasma, see :func:`plasma`.
    """
    h, w = x.shape[-2:]
    groups = zip(seed.split(_TOGETHER), decay.split(_TOGETHER), strict=True)
    charts = (chart[:h, :w] for s, d in groups for chart in plasma(s, max(h, w), d))

    def one(x: Tensor, weight: float) -> Tensor:
        brightest = x.amax()
        return torch.add(x, next(charts).to(x), alpha=weight) * (brightest / (brightest + weight))

    return each(x, one, weight)


def plasma(seeds: Tensor, side: int, decay: Tensor) -> Tensor:
    """Fractals ``B x n x n`` in [0, 1] by the diamond-square algorithm on a torus, n the next power of 2 from
    ``side``.

    Each halving of the step sets new places to the mean of four neighbours plus U(-a, a); a falls by the square of
    ``decay`` (in the published code the same weight is inside and before the uniform noise).

    Args:
        seeds: B integers.
        decay: B factors above 0.
    """
    n = 1 << max(side - 1, 1).bit_length()
    children = torch.tensor([draw.child_seed(s, "plasma") for s in seeds.tolist()])
    noise = draw.quick_uniform_fields(children, (n * n,)).mul_(2).sub_(1)
    count, used, wobble = len(seeds), 0, torch.ones(len(seeds), 1, 1, 1)
    corners = torch.zeros(count, 1, 1)
    while (side := corners.shape[-1]) < n:
        fields = noise[:, used : used + 3 * side**2].view(count, 3, side, side) * wobble
        down, right = corners + corners.roll(-1, 1), corners + corners.roll(-1, 2)
        middles = torch.add(fields[:, 0], down + down.roll(-1, 2), alpha=0.25)
        above = torch.add(fields[:, 1], middles.roll(1, 1).add_(middles).add_(right), alpha=0.25)
        left = torch.add(fields[:, 2], middles.roll(1, 2).add_(middles).add_(down), alpha=0.25)
        finer = torch.empty(count, 2 * side, 2 * side)
        finer[:, ::2, ::2], finer[:, ::2, 1::2] = corners, above
        finer[:, 1::2, ::2], finer[:, 1::2, 1::2] = left, middles
        corners = finer
        used, wobble = used + 3 * side**2, wobble / decay.float().view(-1, 1, 1, 1) ** 2
    corners -= corners.amin((1, 2), keepdim=True)
    return corners.div_(corners.amax((1, 2), keepdim=True))


def frost(x: Tensor, *, seed: Tensor, keep: Tensor, ice: Tensor) -> Tensor:
    """``keep x + ice f`` with f a part of one of six drawn sheets of ice.

    Args:
        keep: B weights of the picture.
        ice: B weights of the ice.
    """

    def one(x: Tensor, seed: int, keep: float, ice: float) -> Tensor:
        sheet = ice_part(seed, *x.shape[-2:]).to(x)
        return torch.add(x * keep, sheet if len(x) == 3 else to_grey(sheet[None])[0], alpha=ice)

    return each(x, one, seed, keep, ice)


def snow(
    x: Tensor,
    *,
    seed: Tensor,
    mean: Tensor,
    std: Tensor,
    zoom: Tensor,
    threshold: Tensor,
    radius: Tensor,
    sigma: Tensor,
    keep: Tensor,
    angle: Tensor,
) -> Tensor:
    """Whitened picture plus flakes: thresholded, enlarged and moved noise, and the same turned by half a turn.

    Args:
        mean, std: B parameters of the normal noise.
        zoom: B enlargements of the noise, the size of a flake in pixels.
        threshold: B values below which noise is no flake.
        radius, sigma, angle: B parameters of the motion, see ``motion_blur``; pixels and degrees.
        keep: B weights of the picture against its whitened self.
    """

    def one(x: Tensor, seed: int, mean: float, std: float, zoom: float, cut: float, *rest: float) -> Tensor:
        radius, sigma, keep, angle = rest
        h, w = x.shape[-2:]
        rows, columns = math.ceil(h / max(zoom, 1.0)), math.ceil(w / max(zoom, 1.0))
        noise = draw.normal_fields(torch.tensor([draw.child_seed(seed, "flakes")]), (1, rows, columns))[0]
        flakes = enlarge(noise * std + mean, max(zoom, 1.0))
        flakes = torch.where(flakes < cut, 0.0, flakes).clamp(0, 1)
        flakes = shake(flakes, radius, sigma, angle)[:, :h, :w].to(x)
        white = torch.maximum(x, to_grey(x[None])[0] * 1.5 + 0.5)
        return keep * x + (1 - keep) * white + flakes + flakes.flip(-1, -2)

    return each(x, one, seed, mean, std, zoom, threshold, radius, sigma, keep, angle)


FOG = Degradation(
    "imagenet-c-fog",
    fog,
    {
        "weight": Knob(
            "strength of the fog",
            span=(0.2, 3.0),
            legal=(0.0, 100.0),
            levels={32: (0.2, 0.5, 0.75, 1, 1.5), 64: (0.4, 0.7, 1, 1.5, 2), 224: (1.5, 2, 2.5, 2.5, 3)},
        ),
        "decay": Knob(
            "smoothness: each finer step of the fractal is weaker by its square",
            span=(1.4, 3.0),
            legal=(1.0, 100.0),
            levels={32: (3, 3, 2.5, 2, 1.75), 64: (3, 3, 2.5, 2, 1.75), 224: (2, 2, 1.7, 1.5, 1.4)},
        ),
    },
)
FROST = Degradation(
    "frost",
    frost,
    {
        "keep": Knob(
            "weight of the picture",
            span=(0.6, 1.0),
            legal=(0.0, 1.0),
            levels={
                32: (1, 1, 0.9, 0.85, 0.75),
                64: (1, 0.9, 0.8, 0.75, 0.7),
                224: (1, 0.8, 0.7, 0.65, 0.6),
            },
        ),
        "ice": Knob(
            "weight of the ice",
            span=(0.2, 0.75),
            legal=(0.0, 1.0),
            levels={
                32: (0.2, 0.3, 0.4, 0.4, 0.45),
                64: (0.3, 0.4, 0.45, 0.5, 0.55),
                224: (0.4, 0.6, 0.7, 0.7, 0.75),
            },
        ),
    },
)


def _snow_knob(
    doc: str,
    small: Row,
    large: Row,
    *,
    legal: tuple[float, float],
    middle: Row | None = None,
    length: bool = False,
) -> Knob:
    """A knob of the snow, drawn from the range of its table; 64 pixels have the row of 32 unless given."""
    values = (*small, *large)
    levels = {32: small, 64: middle or small, 224: large}
    return Knob(doc, span=(min(values), max(values)), legal=legal, levels=levels, is_length=length)


SNOW = Degradation(
    "imagenet-c-snow",
    snow,
    {
        "mean": _snow_knob(
            "mean of the noise", (0.1, 0.1, 0.15, 0.25, 0.3), (0.1, 0.2, 0.55, 0.55, 0.55), legal=(-5, 5)
        ),
        "std": _snow_knob("deviation of the noise", (0.2, 0.2, 0.3, 0.3, 0.3), (0.3,) * 5, legal=(0, 5)),
        "zoom": _snow_knob(
            "size of a flake, pixels",
            (1, 1, 1.75, 2.25, 1.25),
            (3, 2, 4, 4.5, 2.5),
            legal=(1, 200),
            length=True,
        ),
        "threshold": _snow_knob(
            "noise below it is no flake",
            (0.6, 0.5, 0.55, 0.6, 0.65),
            (0.5, 0.5, 0.9, 0.85, 0.85),
            legal=(-5, 5),
        ),
        "radius": _snow_knob(
            "half the steps of the motion, pixels",
            (8, 10, 10, 12, 14),
            (10, 12, 12, 12, 12),
            legal=(0, 1000),
            length=True,
        ),
        "sigma": _snow_knob(
            "sigma of its fading, pixels", (3, 4, 4, 6, 12), (4, 4, 8, 8, 12), legal=(0, 1000), length=True
        ),
        "keep": _snow_knob(
            "weight of the picture against its whitened self",
            (0.95, 0.9, 0.9, 0.85, 0.8),
            (0.8, 0.7, 0.7, 0.65, 0.55),
            middle=(0.8, 0.8, 0.7, 0.65, 0.6),
            legal=(0, 1),
        ),
        "angle": Knob("direction of the fall, degrees", span=(-135.0, -45.0), legal=(-360.0, 360.0)),
    },
)
