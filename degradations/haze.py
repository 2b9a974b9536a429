"""Haze, fog, sand in the air: I = J t + A (1 - t) with t = exp(-beta d) (Koschmieder 1924).

RESIDE (Li et al. 2019) mixes encoded values, physics mixes linear light; the knob ``space`` says which, and
``haze`` keeps RESIDE's. The air's light A is given as it is seen (encoded) and converted. Depth is relative,
from 0 to 1, drawn from the seed (:mod:`restore.degradations.depth`) unless the caller knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from restore.degradations import colour
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.depth import DEPTH, Depth, depths, with_depth
from restore.degradations.fields import fbm
from restore.degradations.knob import Knob
from restore.degradations.medium import Medium, Shape, colour_of, join, scatter
from restore.degradations.params import Params
from restore.errors import RestoreError


def haze(
    x: Tensor,
    *,
    seed: Tensor,
    beta: Tensor,
    airlight: Tensor,
    patchiness: Tensor,
    space: list[str],
    depth: Depth = None,
) -> Tensor:
    """Haze and fog over ``B x C x H x W``, not clipped.

    Args:
        beta: B optical depths at the farthest point.
        airlight: B brightnesses of the air as seen, in [0, 1].
        patchiness: B kappas of beta (1 + kappa (fBm - 0.5)), up to 2; 0: the same everywhere.
        space: B names, where light is mixed.
        depth: ``B x 1 x H x W`` from 0 to 1, or B names of files; None: drawn from the seed.
    """
    rows = _hazes(x.shape, seed, beta, airlight, patchiness, space, depth=depth)
    return torch.cat([m.compose(part) for part, m in zip(x.split(1), rows, strict=True)])


def sandstorm(
    x: Tensor,
    *,
    seed: Tensor,
    beta: Tensor,
    airlight: Tensor,
    green: Tensor,
    blue: Tensor,
    beta_green: Tensor,
    beta_blue: Tensor,
    patchiness: Tensor,
    grains: Tensor,
    space: list[str],
    depth: Depth = None,
) -> Tensor:
    """Sand or dust in the air: yellow light, blue absorbed most, dense in billows.

    Args:
        airlight, green, blue: B brightnesses of the air's red, and of green and blue over red.
        beta_green, beta_blue: B optical depths over that of red.
        grains: B standard deviations of the veil's speckle.
    """
    rows = _sands(
        x.shape, seed, beta, airlight, green, blue, beta_green, beta_blue, patchiness, grains, space,
        depth=depth,
    )  # fmt: skip
    return torch.cat([m.compose(part) for part, m in zip(x.split(1), rows, strict=True)])


def maps(shape: Shape, params: Params, *, depth: Depth = None) -> Medium:
    """Transmission and airlight that recorded parameters stand for (``strength`` 1).

    Args:
        shape: (B, C, H, W).
        depth: as it was given to the function; None: drawn from the seed.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name in ("haze", "fog"):
        return join(list(_hazes(shape, params.seeds, **with_depth(params.values, depth))))
    if params.name == "sandstorm":
        return join(list(_sands(shape, params.seeds, **with_depth(params.values, depth))))
    raise RestoreError(f"expected parameters of haze, fog or sandstorm, got {params.name!r}")


def transmission(depth: Tensor, *, seed: int, beta: float | Tensor, patchiness: float = 0.0) -> Tensor:
    """exp(-beta d), ``1 x (1 or C) x H x W``, beta varied by a cloud field of the seed where patchy."""
    density: Tensor | float = beta
    if patchiness:
        clouds = fbm(draw.child_seed(seed, "clouds"), *depth.shape[-2:], cells=2.0)
        density = beta * (1 + patchiness * (clouds - 0.5)).to(depth)
    return torch.exp(-density * depth)


def each(*columns: Any) -> Iterator[tuple]:
    """Row by row, tensors as plain numbers."""
    return zip(*[c.tolist() if isinstance(c, Tensor) else c for c in columns], strict=True)


def _hazes(
    shape: Shape, seed: Tensor, beta: Tensor, airlight: Tensor, patchiness: Tensor, space: list[str],
    depth: Depth,
) -> Iterator[Medium]:  # fmt: skip
    planes = depths(seed, shape, depth)
    for d, (s, b, a, k, kind) in zip(planes, each(seed, beta, airlight, patchiness, space), strict=True):
        air = colour_of((a, a, a), shape[1], kind)
        yield scatter(transmission(d, seed=s, beta=b, patchiness=k), air, kind)


def _sands(
    shape: Shape, seed: Tensor, beta: Tensor, airlight: Tensor, green: Tensor, blue: Tensor,
    beta_green: Tensor, beta_blue: Tensor, patchiness: Tensor, grains: Tensor, space: list[str],
    depth: Depth,
) -> Iterator[Medium]:  # fmt: skip
    planes = depths(seed, shape, depth)
    columns = each(seed, beta, airlight, green, blue, beta_green, beta_blue, patchiness, grains, space)
    for d, (s, b, a, g_, b_, bg, bb, k, grain, kind) in zip(planes, columns, strict=True):
        densities = torch.tensor([1.0, bg, bb], dtype=torch.float32).view(1, 3, 1, 1) * b
        if shape[1] == 1:
            densities = colour.for_channels(densities, 1)
        t = transmission(d, seed=s, beta=densities, patchiness=k)
        air = colour_of((a, a * g_, a * b_), shape[1], kind)
        if grain:
            field = draw.normal_fields(torch.tensor([draw.child_seed(s, "grains")]), (1, *shape[-2:]))
            air = air * (1 + grain * field).clamp(min=0)
        yield scatter(t, air, kind)


def space_knob(default: str) -> Knob:
    """Where light is mixed."""
    return Knob(
        "where light is mixed: encoded values or linear light", choices=colour.SPACES, default=default
    )


_KAPPA = Knob("kappa of beta (1 + kappa (fBm - 0.5))", span=(0.0, 1.5), legal=(0.0, 2.0))
_EVEN = Knob("kappa of beta (1 + kappa (fBm - 0.5)); 0: homogeneous", legal=(0.0, 2.0), default=0.0)


def beta_knob(*row: float) -> Knob:
    """An optical depth by severity."""
    return Knob(
        "optical depth at the farthest point",
        span=(row[0], row[-1]),
        legal=(0.0, 50.0),
        levels={224: row},  # type: ignore[dict-item]
    )


HAZE = Degradation(
    "haze",
    haze,
    {
        # RESIDE, indoor training set: A of U(0.7, 1), beta of U(0.6, 1.8), encoded values.
        "beta": beta_knob(0.6, 0.9, 1.2, 1.5, 1.8),
        "airlight": Knob("brightness of the air as seen", span=(0.7, 1.0), legal=(0.0, 2.0)),
        "patchiness": _EVEN,
        "space": space_knob("srgb"),
        "depth": DEPTH,
    },
)
FOG = Degradation(
    "fog",
    haze,
    {
        "beta": beta_knob(0.5, 0.8, 1.2, 1.7, 2.4),
        "airlight": Knob("brightness of the air as seen", span=(0.7, 0.92), legal=(0.0, 2.0)),
        "patchiness": _KAPPA,
        "space": space_knob("linear"),
        "depth": DEPTH,
    },
)
SANDSTORM = Degradation(
    "sandstorm",
    sandstorm,
    {
        "beta": beta_knob(0.3, 0.5, 0.8, 1.15, 1.6),
        "airlight": Knob("brightness of the air's red as seen", span=(0.6, 0.95), legal=(0.0, 2.0)),
        "green": Knob("the air's green over its red", span=(0.72, 0.88), legal=(0.0, 2.0)),
        "blue": Knob("the air's blue over its red", span=(0.35, 0.62), legal=(0.0, 2.0)),
        "beta_green": Knob("optical depth in green over that in red", span=(1.1, 1.4), legal=(0.0, 10.0)),
        "beta_blue": Knob("optical depth in blue over that in red", span=(1.4, 2.2), legal=(0.0, 10.0)),
        "patchiness": Knob("kappa of the billows", span=(0.5, 1.5), legal=(0.0, 2.0)),
        "grains": Knob("standard deviation of the veil's speckle", span=(0.0, 0.08), legal=(0.0, 1.0)),
        "space": space_knob("linear"),
        "depth": DEPTH,
    },
)
