"""Water of any cold colour: each channel fades by a depth of its own, and the water's light may come in between.

Freer than :mod:`restore.degradations.underwater`, whose ten waters are measured ones: pictures of divers are balanced
by cameras and editors, after which none of the ten is left.
"""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor

from restore.degradations import colour
from restore.degradations.base import Degradation
from restore.degradations.drawn_depth import PLANS, drawn_depth
from restore.degradations.haze import each, space_knob
from restore.degradations.knob import Knob
from restore.degradations.medium import Medium, colour_of
from restore.degradations.processing import blurred


def tinted_water(
    x: Tensor, *, seed: Tensor, hue: Tensor, saturation: Tensor, brightness: Tensor, attenuation: Tensor,
    least: Tensor, near: Tensor, backscatter: Tensor, turbidity: Tensor, exposure: Tensor, plan: list[str],
    space: list[str],
) -> Tensor:  # fmt: skip
    """Water over ``B x C x H x W``, not clipped: I = J exp(-beta_c z) + b W (1 - exp(-beta_c z)).

    beta_c is ``attenuation`` in the channel that the water's colour W has least of, ``least`` times it in the one that
    it has most of. Without backscatter (b = 0) the picture darkens towards the distance.

    Args:
        hue, saturation, brightness: B colours W as seen; hue in degrees, 120 green, 180 cyan, 240 blue.
        attenuation: B optical depths at the farthest point.
        least: B shares, in (0, 1].
        near: B depths of the nearest point over the farthest: what the water in front of everything does.
        backscatter: B shares b.
        turbidity: B standard deviations of the blur at the farthest point, pixels.
        exposure: B shares to which the camera makes up for what the least absorbed channel lost on the average.
        plan: B names of :data:`restore.degradations.drawn_depth.PLANS`.
        space: B names, where light is mixed.
    """
    made = []
    columns = each(
        seed,
        hue,
        saturation,
        brightness,
        attenuation,
        least,
        near,
        backscatter,
        turbidity,
        exposure,
        plan,
        space,
    )
    for part, (s, h, sat, v, beta, low, n, share, blur, gain, how, kind) in zip(
        x.split(1), columns, strict=True
    ):
        depth = drawn_depth(s, (part.shape[-2], part.shape[-1]), how)
        z = n + (1 - n) * depth
        water = colorsys.hsv_to_rgb((h % 360) / 360, sat, v)
        # What the water has most of, it absorbs least: linear between the two ends.
        relative = torch.tensor([1 - c / max(*water, 1e-6) for c in water]) / max(sat, 1e-6)
        absorbed = (beta * (low + (1 - low) * relative)).view(1, 3, 1, 1)
        t = torch.exp(-colour.for_channels(absorbed, x.shape[1]) * z)
        own = share * colour_of(water, x.shape[1], kind)
        if blur >= 0.3:
            part = part + depth.to(part) * (blurred(part, blur) - part)
        light = float(t.mean((0, 2, 3)).max().clamp(min=0.05)) ** -gain
        made.append(Medium(t * light, own * (1 - t), t, own, [kind]).compose(part))
    return torch.cat(made)


# Ranges: attenuation over a factor of ten [ours].
TINTED_WATER = Degradation(
    "tinted-water",
    tinted_water,
    {
        "hue": Knob("of the water, degrees: 120 green, 240 blue", span=(110.0, 218.0), legal=(0.0, 360.0)),
        "saturation": Knob("of the water's colour", span=(0.3, 0.95), legal=(0.0, 1.0)),
        "brightness": Knob("of the water as seen", span=(0.3, 0.9), legal=(0.0, 1.0)),
        "attenuation": Knob(
            "optical depth at the farthest point",
            span=(0.6, 4.0),
            legal=(0.0, 50.0),
            levels={224: (0.4, 0.8, 1.4, 2.2, 3.4)},
        ),
        "least": Knob("share of it where the water absorbs least", span=(0.1, 0.7), legal=(0.001, 1.0)),
        "near": Knob("depth of the nearest point over the farthest", span=(0.3, 1.0), legal=(0.0, 1.0)),
        "backscatter": Knob("share of the water's own light", span=(0.3, 1.0), legal=(0.0, 2.0)),
        "turbidity": Knob(
            "blur at the farthest point, pixels",
            legal=(0.0, 100.0),
            levels={32: (0, 0.1, 0.2, 0.3, 0.4), 224: (0, 0.3, 0.7, 1.2, 2.0)},
            span=(0.0, 1.5),
            is_length=True,
        ),
        "exposure": Knob(
            "share to which the camera makes up for lost light", span=(0.4, 1.0), legal=(0.0, 1.0)
        ),
        "plan": Knob("of the depth", choices=PLANS, default="plane|perspective|patches"),
        "space": space_knob("srgb|linear"),
    },
)
TABLE = {d.name: d for d in (TINTED_WATER,)}
