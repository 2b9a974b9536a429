"""A photograph taken in too little light: few electrons, lamps, a colour cast, dark corners, deep shadows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore import image
from restore.degradations import colour
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.codec import straight_through
from restore.degradations.fields import uniforms
from restore.degradations.haze import each
from restore.degradations.knob import Knob
from restore.degradations.medium import colour_of
from restore.degradations.optics import places
from restore.degradations.stamps import normal_plane


def dim_light(
    x: Tensor, *, seed: Tensor, light: Tensor, depth: Tensor, shot: Tensor, read: Tensor, warmth: Tensor,
    vignette: Tensor, lamps: Tensor, gamma: Tensor,
) -> Tensor:  # fmt: skip
    """Linear light times ``light``, noise of variance ``shot`` light + ``read``, developed and rounded to 8 bits.

    Args:
        light: B factors on the light.
        depth: B exponents of the encoded values before that: above 1 shadows lose more than highlights.
        shot, read: B slopes and offsets of the noise's variance, in units of full light.
        warmth: B gains of red over blue, as powers of 2 (stops).
        vignette: B shares of the light that corners lose.
        lamps: B whole numbers of places that keep more light, drawn from the seed.
        gamma: B exponents of the development, light^(1 / gamma).
    """
    made = []
    columns = each(seed, light, depth, shot, read, warmth, vignette, lamps, gamma)
    for part, (s, k, d, slope, dark, warm, corners, count, g) in zip(x.split(1), columns, strict=True):
        wide = part.to(torch.promote_types(x.dtype, torch.float32))
        seen = _power(wide, 2.2 * d)
        cast = colour_of((2 ** (warm / 2), 1.0, 2 ** (-warm / 2)), x.shape[1], "srgb").to(seen)
        seen = seen * cast * (k * _falloff(seen[0], s, corners, int(count)))
        field = torch.from_numpy(
            np.stack([normal_plane(draw.child_seed(s, "dark", i), *x.shape[-2:]) for i in range(x.shape[1])])
        )
        noisy = seen + (slope * seen + dark).clamp(min=1e-20).sqrt() * field.to(seen)
        y = _power(noisy, 1 / g)
        made.append(straight_through(y, image.quantise(y.detach(), bits=8)).to(x.dtype))
    return torch.cat(made)


def _power(x: Tensor, exponent: float) -> Tensor:
    return colour.elementwise(lambda v: v.clamp(1e-8, 1).pow(exponent), x)


def _falloff(x: Tensor, seed: int, corners: float, lamps: int) -> Tensor:
    """Light by place, ``H x W``: less towards the corners, up to three times as much around a lamp."""
    u, v = places(x)
    light = 1 - corners * (u * u + v * v)
    w = uniforms(draw.child_seed(seed, "lamps"), 4 * max(lamps, 1)).view(-1, 4).tolist()
    if lamps:
        light = 0.5 * light
    for a, b, c, d in w[:lamps]:
        away = (u - 1.4 * (a - 0.5)) ** 2 + (v - 1.4 * (b - 0.5)) ** 2
        light = light + (1 + 2 * c) * torch.exp(-away / (0.1 + 0.5 * d) ** 2)
    return light


# Ranges: 200 to 10,000 electrons at full light [ours].
DIM_LIGHT = Degradation(
    "dim-light",
    dim_light,
    {
        "light": Knob(
            "factor on the light",
            span=(0.03, 0.35),
            legal=(0.0, 2.0),
            levels={224: (0.3, 0.2, 0.12, 0.07, 0.04)},
        ),
        "depth": Knob("exponent of the encoded values before", span=(0.9, 1.8), legal=(0.1, 5.0)),
        "shot": Knob("slope of the noise's variance", span=(1e-4, 4e-3), legal=(0.0, 1.0)),
        "read": Knob("its offset in the dark", span=(0.0, 1e-5), legal=(0.0, 1.0)),
        "warmth": Knob("red over blue, stops", span=(-0.5, 0.9), legal=(-5.0, 5.0)),
        "vignette": Knob("share of the light that corners lose", span=(0.0, 0.6), legal=(0.0, 1.0)),
        "lamps": Knob("places that keep more light", legal=(0, 20), default=0, whole=True),
        "gamma": Knob("exponent of the development", span=(1.9, 2.5), legal=(1.0, 5.0)),
    },
)
TABLE = {d.name: d for d in (DIM_LIGHT,)}
