"""Under water: colours absorbed channel by channel, and the water's own light scattered in.

Two models of image formation: the older one with a single coefficient (UWCNN, Li et al. 2020) and the revised
one, in which backscatter has coefficients of its own (Akkaynak & Treibitz 2018). The water is one of Jerlov's
ten types, by the share of red, green and blue light that one metre lets through.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from restore.degradations import colour
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.depth import DEPTH, Depth, depths, with_depth
from restore.degradations.knob import Knob
from restore.degradations.medium import Medium, Shape, join
from restore.degradations.params import Params
from restore.errors import RestoreError

# Transmission of red, green and blue per metre, as UWCNN lists it: ocean I to III, coast 1C to 9C.
JERLOV: dict[str, tuple[float, float, float]] = {
    "I": (0.805, 0.961, 0.982),
    "IA": (0.804, 0.955, 0.975),
    "IB": (0.83, 0.95, 0.968),
    "II": (0.80, 0.925, 0.94),
    "III": (0.75, 0.885, 0.89),
    "1C": (0.75, 0.885, 0.875),
    "3C": (0.71, 0.82, 0.80),
    "5C": (0.67, 0.73, 0.67),
    "7C": (0.62, 0.61, 0.50),
    "9C": (0.55, 0.46, 0.29),
}
MODELS = ("revised", "uwcnn")
BRIGHTNESS = {"revised": 0.9, "uwcnn": 1.5}


def underwater(
    x: Tensor,
    *,
    seed: Tensor,
    water: list[str],
    model: list[str],
    below: Tensor,
    distance: Tensor,
    brightness: Tensor,
    space: list[str],
    depth: Depth = None,
) -> Tensor:
    """A scene in the sea over ``B x C x H x W``, not clipped.

    "uwcnn": A = b N^D, t = N^(d h), I = A J t + (1 - t) A. "revised": I = E J exp(-beta_D z) + B (1 - exp(-beta_B z))
    with E = b N^D the light at depth D, z = d h, beta_D = -ln N, beta_B = r beta_D with r of U(0.7, 1.3) per
    channel and the water's own light B = 0.5 E (min beta_D / beta_D)^0.5 [our own]: of the colour it absorbs least.

    Args:
        water: B names of :data:`JERLOV`.
        model: B names, "revised" or "uwcnn".
        below: B depths D of the scene below the surface, metres.
        distance: B distances h of the farthest point, metres.
        brightness: B factors b on daylight; 0: 1.5 for "uwcnn", as published, 0.9 for "revised".
        space: B names, where light is mixed.
        depth: ``B x 1 x H x W`` from 0 to 1, or B names of files; None: drawn from the seed.
    """
    rows = _waters(x.shape, seed, water, model, below, distance, brightness, space, depth)
    return torch.cat([m.compose(part) for part, m in zip(x.split(1), rows, strict=True)])


def maps(shape: Shape, params: Params, *, depth: Depth = None) -> Medium:
    """What recorded parameters of ``underwater`` do to light (``strength`` 1).

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "underwater":
        raise RestoreError(f"expected parameters of underwater, got {params.name!r}")
    return join(list(_waters(shape, params.seeds, **with_depth(params.values, depth))))


def _waters(
    shape: Shape, seed: Tensor, water: list[str], model: list[str], below: Tensor, distance: Tensor,
    brightness: Tensor, space: list[str], depth: Depth,
) -> Iterator[Medium]:  # fmt: skip
    planes = depths(seed, shape, depth)
    rows = zip(
        planes, seed.tolist(), water, model, below.tolist(), distance.tolist(), brightness.tolist(), space,
        strict=True,
    )  # fmt: skip
    for d, s, kind, which, deep, far, b, where in rows:
        through = torch.tensor(JERLOV[kind]).view(1, 3, 1, 1)
        light = (b or BRIGHTNESS[which]) * through**deep
        absorbed = -torch.log(through)
        scattered, own = absorbed, light
        if which == "revised":
            ratio = draw.draw_uniform(3, 0.7, 1.3, draw.generator(draw.child_seed(s, "backscatter")))
            scattered = absorbed * ratio.view(1, 3, 1, 1).float()
            # Light scattered towards the camera has been absorbed on its way.
            own = 0.5 * light * (absorbed.amin() / absorbed) ** 0.5
        absorbed, scattered, light, own = (
            colour.for_channels(v, shape[1]) for v in (absorbed, scattered, light, own)
        )
        z = d * far
        t, arriving = torch.exp(-scattered * z), torch.exp(-absorbed * z)
        yield Medium(light * arriving, own * (1 - t), t, own, [where])


UNDERWATER = Degradation(
    "underwater",
    underwater,
    {
        "water": Knob("Jerlov's type", choices=tuple(JERLOV), default="I|IA|IB|II|III|1C|3C|5C|7C"),
        "model": Knob("of image formation", choices=MODELS, default="revised"),
        # UWCNN draws D of U(3, 5) and h of U(0.5, 15).
        "below": Knob(
            "depth below the surface, metres",
            span=(3.0, 5.0),
            legal=(0.0, 100.0),
            levels={224: (1, 2, 3, 4, 5)},
        ),
        "distance": Knob(
            "distance of the farthest point, metres",
            span=(0.5, 15.0),
            legal=(0.0, 200.0),
            levels={224: (1.5, 3, 5, 9, 15)},
        ),
        "brightness": Knob("factor on daylight; 0: by the model", legal=(0.0, 10.0), default=0.0),
        "space": Knob(
            "where light is mixed: encoded values or linear light", choices=colour.SPACES, default="linear"
        ),
        "depth": DEPTH,
    },
)
