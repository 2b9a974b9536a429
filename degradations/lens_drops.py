"""Raindrops on the lens or the window: each is a small wide-angle lens that shows the scene upside down.

The union of soft discs gives a height; where a drop lies, the picture is looked up on the other side of the
drop's middle, beyond its own size, out of focus, under a dark rim [our own; Garg & Nayar 2007 for the optics].
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import colour
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import uniforms
from restore.degradations.knob import Knob
from restore.degradations.medium import Shape
from restore.degradations.params import Params
from restore.errors import RestoreError


def lens_drops(
    x: Tensor,
    *,
    seed: Tensor,
    coverage: Tensor,
    radius: Tensor,
    refraction: Tensor,
    rim: Tensor,
    opacity: Tensor,
) -> Tensor:
    """Drops over ``B x C x H x W``, mixed in linear light; pixels outside the drops stay as they are.

    Args:
        coverage: B shares of the picture under drops, counted each alone.
        radius: B mean radii, pixels.
        refraction: B factors, how far beyond its own size a drop looks.
        rim: B darkenings at the drops' edge, in [0, 1].
        opacity: B opacities, in [0, 1].
    """
    made = []
    columns = [v.tolist() for v in (seed, coverage, radius, refraction, rim, opacity)]
    for part, s, share, r, power, dark, strong in zip(x.split(1), *columns, strict=True):
        h, w = part.shape[-2:]
        mask, y0, x0, edge = drops(s, h, w, coverage=share, radius=r, refraction=power)
        y = part.clone()
        place = (mask > 0).flatten().nonzero()[:, 0]
        if len(place) and strong:
            kind = torch.promote_types(x.dtype, torch.float32)
            light = colour.to_linear(part.to(kind))
            # Seen through a drop the scene is out of focus: it is looked up in a smaller copy.
            factor = max(round(r / 5), 1)
            small = F.avg_pool2d(
                light, (min(factor, h), min(factor, w)), ceil_mode=True, count_include_pad=False
            )
            grid = torch.stack([(x0.flatten() + 0.5) / w, (y0.flatten() + 0.5) / h], -1)[place] * 2 - 1
            inside = F.grid_sample(
                small,
                grid.to(light)[None, None],
                mode="bilinear",
                padding_mode="reflection",
                align_corners=False,
            )[:, :, 0]
            inside = inside * (1 - dark * edge.flatten()[place].to(light))
            under = light.flatten(2)[..., place]
            a = strong * mask.flatten()[place].to(light)
            mixed = colour.to_encoded(under + a * (inside - under)).to(x.dtype)
            y = y.flatten(2).index_copy(2, place.to(x.device), mixed).view(part.shape)
        made.append(y)
    return torch.cat(made)


def drops(
    seed: int, height: int, width: int, *, coverage: float, radius: float, refraction: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where drops lie and where they look: mask in [0, 1], source rows and columns, rim in [0, 1], ``H x W`` each."""
    place = draw.child_seed(seed, "drops")
    spread = 0.45
    mean_area = math.pi * radius**2 * math.exp(2 * spread**2)
    expected = coverage * (height + 2 * radius) * (width + 2 * radius) / mean_area
    count = max(math.floor(expected + float(uniforms(draw.child_seed(place, "count"), 1))), int(coverage > 0))
    u = [uniforms(draw.child_seed(place, i), count).tolist() for i in range(7)]
    normal = draw.draw_normal(max(count, 16), draw.generator(draw.child_seed(place, "size"))).tolist()
    mask, rim, top = (torch.zeros((height, width)) for _ in range(3))
    rows, columns = torch.arange(height)[:, None].float(), torch.arange(width)[None].float()
    y0, x0 = rows.expand(height, width).clone(), columns.expand(height, width).clone()
    for i in range(count):
        # The first drop of a picture is always on it.
        margin = 0.0 if i == 0 else radius
        cy, cx = (n * (side + 2 * margin) - margin - 0.5 for n, side in ((u[0][i], height), (u[1][i], width)))
        r = radius * math.exp(spread * max(min(normal[i], 1.8), -2.2))
        reach = 1.5 * r + 1
        window = (
            slice(max(math.floor(cy - reach), 0), max(math.ceil(cy + reach) + 1, 0)),
            slice(max(math.floor(cx - reach), 0), max(math.ceil(cx + reach) + 1, 0)),
        )
        dy, dx = rows[window[0]] - cy, columns[:, window[1]] - cx
        if not dy.numel() or not dx.numel():
            continue
        # Drops hang: a little longer than wide, fuller below; and no drop is round.
        tall = 1 + 0.25 * u[2][i]
        sx, sy = dx * (1 - 0.18 * dy / reach), dy / tall
        around = torch.atan2(sy, sx)
        uneven = (
            1 + 0.1 * torch.cos(2 * around + 6.3 * u[3][i]) + 0.06 * torch.cos(3 * around + 6.3 * u[4][i])
        )
        rho = torch.hypot(sx, sy) / (r * uneven)
        edge = max(0.12, 0.7 / r)
        a = ((1 + edge / 2 - rho) / edge).clamp(0, 1)
        a = a * a * (3 - 2 * a)
        tallest = (a > 0) & (r * (1 - rho).clamp(min=-1) > top[window] - 1e-6)
        mask[window] = torch.maximum(mask[window], a)
        top[window] = torch.where(tallest, r * (1 - rho).clamp(min=0), top[window])
        # Steeper towards the rim, as on a cap of water.
        bend = refraction * (0.6 + 0.4 * rho.clamp(max=1.1) ** 2) * (0.8 + 0.4 * u[5][i])
        y0[window] = torch.where(tallest, cy - dy * bend, y0[window])
        x0[window] = torch.where(tallest, cx - dx * bend, x0[window])
        # The lower half gathers the sky, the upper half the ground: the rim is darkest above.
        lit = 0.65 - 0.35 * (sy / (r * uneven)).clamp(-1, 1)
        rim[window] = torch.where(tallest, rho.clamp(0, 1) ** 4 * lit, rim[window])
    return mask, y0, x0, rim


def maps(shape: Shape, params: Params) -> Tensor:
    """Opacity of the drops, ``B x 1 x H x W`` in [0, 1], that recorded parameters stand for: zero where the picture
    stays as it is.

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "raindrop":
        raise RestoreError(f"expected parameters of raindrop, got {params.name!r}")
    v = {k: t.tolist() for k, t in params.values.items()}
    rows = zip(params.seeds.tolist(), v["coverage"], v["radius"], v["refraction"], v["opacity"], strict=True)
    made = [
        strong * drops(s, *shape[-2:], coverage=share, radius=r, refraction=power)[0]
        for s, share, r, power, strong in rows
    ]
    return torch.stack(made)[:, None]


RAINDROP = Degradation(
    "raindrop",
    lens_drops,
    {
        "coverage": Knob(
            "share of the picture under drops",
            span=(0.05, 0.4),
            legal=(0.0, 5.0),
            levels={224: (0.05, 0.1, 0.17, 0.27, 0.4)},
        ),
        "radius": Knob(
            "mean radius of a drop, pixels",
            span=(3.0, 14.0),
            legal=(0.5, 1000.0),
            levels={32: (2.0, 2.0, 2.1, 2.2, 2.4), 224: (6.0, 6.5, 7.0, 7.7, 8.5)},
            is_length=True,
        ),
        "refraction": Knob("how far beyond its own size a drop looks", span=(2.0, 5.0), legal=(0.0, 20.0)),
        "rim": Knob("darkening at the edge", span=(0.3, 0.6), legal=(0.0, 1.0)),
        "opacity": Knob(
            "opacity of a drop", span=(0.8, 1.0), legal=(0.0, 1.0), levels={224: (0.8, 0.85, 0.9, 0.95, 1.0)}
        ),
    },
)
