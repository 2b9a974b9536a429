"""Haze of any colour over a depth of any plan: I = J t + A (1 - t), t = exp(-beta d)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.drawn_depth import PLANS, drawn_depth
from restore.degradations.haze import beta_knob, each, space_knob
from restore.degradations.knob import Knob
from restore.degradations.medium import colour_of, scatter


def scene_haze(
    x: Tensor, *, seed: Tensor, beta: Tensor, airlight: Tensor, warmth: Tensor, tint: Tensor, near: Tensor,
    plan: list[str], space: list[str],
) -> Tensor:  # fmt: skip
    """Haze over ``B x C x H x W``, not clipped.

    Args:
        beta: B optical depths at the farthest point.
        airlight: B brightnesses of the air as seen.
        warmth, tint: B departures of its colour from grey: red over blue, green over both, shares of the brightness.
        near: B depths of the nearest point over the farthest.
        plan: B names of :data:`restore.degradations.drawn_depth.PLANS`.
        space: B names, where light is mixed.
    """
    made = []
    columns = each(seed, beta, airlight, warmth, tint, near, plan, space)
    for part, (s, b, a, w, g, n, how, kind) in zip(x.split(1), columns, strict=True):
        d = n + (1 - n) * drawn_depth(s, (part.shape[-2], part.shape[-1]), how)
        air = colour_of((a * (1 + w / 2), a * (1 + g), a * (1 - w / 2)), x.shape[1], kind)
        made.append(scatter(torch.exp(-b * d), air, kind).compose(part))
    return torch.cat(made)


SCENE_HAZE = Degradation(
    "scene-haze",
    scene_haze,
    {
        "beta": beta_knob(0.35, 0.7, 1.1, 1.7, 2.6),
        "airlight": Knob("brightness of the air as seen", span=(0.45, 1.0), legal=(0.0, 2.0)),
        "warmth": Knob("its red over its blue, share", span=(-0.14, 0.2), legal=(-2.0, 2.0)),
        "tint": Knob("its green over both, share", span=(-0.03, 0.03), legal=(-1.0, 1.0)),
        "near": Knob("depth of the nearest point over the farthest", span=(0.0, 0.35), legal=(0.0, 1.0)),
        "plan": Knob("of the depth", choices=PLANS, default="plane|perspective|patches|layers"),
        "space": space_knob("srgb|linear"),
    },
)
TABLE = {d.name: d for d in (SCENE_HAZE,)}
