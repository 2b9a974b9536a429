"""ImageNet-C's corruptions that move pixels: glass blur and the elastic transform.

They are tests of robustness: a restorer cannot learn where pixels have gone. Written from the published formulas.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.filters import each, gaussian
from restore.degradations.knob import Knob


def glass_blur(x: Tensor, *, seed: Tensor, sigma: Tensor, delta: Tensor, iterations: Tensor) -> Tensor:
    """Frosted glass: blurred, pixels shuffled among neighbours ``iterations`` times, blurred again.

    The published loop goes from the last pixel to the first and copies to each the one at an offset of
    ``-delta`` to ``delta - 1`` in each direction (on colour pictures its swap is a copy). Here the same, found
    by following where every pixel comes from.

    Args:
        sigma: B sigmas of the two Gaussians, pixels.
        delta: B largest offsets, pixels.
        iterations: B numbers of passes.
    """

    def one(x: Tensor, seed: int, sigma: float, delta: float, count: float) -> Tensor:
        height, width = x.shape[-2:]
        source = _shuffled(seed, height, width, int(delta), int(count)).to(x.device)
        return gaussian(gaussian(x, sigma).flatten(1).index_select(1, source).view(x.shape), sigma)

    return each(x, one, seed, sigma, delta, iterations)


def elastic_transform(x: Tensor, *, seed: Tensor, alpha: Tensor, sigma: Tensor, affine: Tensor) -> Tensor:
    """Pixels moved by smooth random fields, after an affine map; bilinear, mirrored at the border.

    Args:
        alpha: B strengths: the fields are ``alpha`` times blurred U(-1, 1), pixels.
        sigma: B sigmas of their blur (cut at 3 sigma), pixels.
        affine: B largest moves of the three corners that fix the affine map, pixels.
    """

    def one(x: Tensor, seed: int, alpha: float, sigma: float, affine: float) -> Tensor:
        h, w = x.shape[-2:]
        child = torch.tensor([draw.child_seed(seed, "elastic")])
        noise = draw.uniform_fields(child, (2, h, w))[0] * 2 - 1
        move = alpha * gaussian(noise, sigma, truncate=3, edge="symmetric")
        row, column = torch.arange(h)[:, None] + move[0], torch.arange(w) + move[1]
        (a, b, c), (d, e, f) = _affine(seed, h, w, affine).tolist()
        across, down = a * column + b * row + c, d * column + e * row + f
        grid = torch.stack([(2 * across + 1) / w - 1, (2 * down + 1) / h - 1], -1)[None].to(x)
        return F.grid_sample(x[None], grid, padding_mode="reflection", align_corners=False)[0]

    return each(x, one, seed, alpha, sigma, affine)


def _shuffled(seed: int, h: int, w: int, delta: int, iterations: int) -> Tensor:
    """Which pixel of ``H x W`` (flat) each one shows after the passes of :func:`glass_blur`."""
    place = torch.arange(h * w, dtype=torch.int32)
    source = place
    if delta < 1 or min(h, w) <= 2 * delta:
        return source
    inner = torch.zeros(h, w, dtype=torch.int32)
    inner[delta + 1 : h - delta + 1, delta + 1 : w - delta + 1] = 1
    inner = inner.view(-1)
    child = torch.tensor([draw.child_seed(seed, "glass")])
    for chance in draw.uniform_fields(child, (iterations, h * w))[0]:
        down = chance.mul_(2 * delta).floor()  # what is left of the uniform number is uniform again
        right = chance.sub_(down).mul_(2 * delta).floor_()
        move = (down.sub_(delta).mul_(w).add_(right).sub_(delta)).to(torch.int32).mul_(inner)
        origin = place + move
        # A pixel already passed shows a copy itself: follow such chains to their end, doubling the stride.
        chain = move.clamp_(min=0).mul_(inner.index_select(0, origin)).add_(place)
        while True:
            further = chain.index_select(0, chain)
            if torch.equal(further, chain):
                break
            chain = further
        source = source.index_select(0, origin.index_select(0, chain))
    return source


def _affine(seed: int, h: int, w: int, jitter: float) -> Tensor:
    """The map (2 x 3, float64) from places in the result (x, y, 1) to places in the picture."""
    cx, cy, s = h // 2, w // 2, min(h, w) // 3
    before = torch.tensor([[cx + s, cy + s], [cx + s, cy - s], [cx - s, cy - s]], dtype=torch.float64)
    if jitter <= 0 or s == 0:
        return torch.eye(3, dtype=torch.float64)[:2]
    g = draw.generator(draw.child_seed(seed, "affine"))
    after = before + draw.draw_uniform(6, -jitter, jitter, g).view(3, 2)
    one = torch.ones(3, 1, dtype=torch.float64)
    # Corners moved onto one line have no inverse; the smallest singular values are left out then.
    return (torch.linalg.pinv(torch.cat([after, one], 1)) @ before).T


def _times(side: int, *fractions: float) -> tuple[float, float, float, float, float]:
    a, b, c, d, e = (side * f for f in fractions)
    return a, b, c, d, e


def _elastic(name: str, alpha: tuple, sigma: tuple, affine: tuple) -> Degradation:
    """An elastic transform with rows of its own at 224 pixels; those of 32 and 64 are the published ones."""
    return Degradation(
        name,
        elastic_transform,
        {
            "alpha": Knob(
                "strength of the random fields, pixels",
                span=(0.0, 30.0),
                legal=(0.0, 10000.0),
                levels={
                    32: _times(32, 0, 0.05, 0.08, 0.1, 0.1),
                    64: _times(64, 0, 0.05, 0.1, 0.1, 0.16),
                    224: alpha,
                },
                is_length=True,
            ),
            "sigma": Knob(
                "smoothness of the random fields, pixels",
                span=(2.0, 4.0),
                legal=(0.0, 1000.0),
                levels={
                    32: _times(32, 0, 0.2, 0.06, 0.04, 0.03),
                    64: _times(64, 0, 0.3, 0.06, 0.03, 0.03),
                    224: sigma,
                },
                is_length=True,
            ),
            "affine": Knob(
                "largest move of the corners that fix an affine map, pixels",
                span=(0.0, 4.0),
                legal=(0.0, 1000.0),
                levels={
                    32: _times(32, 0.08, 0.07, 0.06, 0.05, 0.03),
                    64: _times(64, 0.08, 0.06, 0.06, 0.03, 0.02),
                    224: affine,
                },
                is_length=True,
            ),
        },
    )


GLASS = Degradation(
    "glass_blur",
    glass_blur,
    {
        "sigma": Knob(
            "sigma of the Gaussians before and after, pixels",
            span=(0.05, 1.5),
            legal=(0.0, 100.0),
            levels={
                32: (0.05, 0.25, 0.4, 0.25, 0.4),
                64: (0.1, 0.5, 0.6, 0.7, 0.9),
                224: (0.7, 0.9, 1.0, 1.1, 1.5),
            },
            is_length=True,
        ),
        "delta": Knob(
            "largest offset of a pixel, pixels",
            span=(1, 4),
            legal=(0, 1000),
            levels={32: (1, 1, 1, 1, 1), 64: (1, 1, 1, 2, 2), 224: (1, 2, 2, 3, 4)},
            whole=True,
            is_length=True,
        ),
        "iterations": Knob(
            "passes of the shuffle",
            span=(1, 3),
            legal=(0, 100),
            levels={32: (1, 1, 1, 2, 2), 64: (1, 1, 2, 1, 2), 224: (2, 1, 3, 2, 2)},
            whole=True,
        ),
    },
)
# At 224 pixels the package `imagecorruptions`, which most people run, has a table of its own: no affine map and
# gentler fields. It is the default; "elastic_transform-2019" has the table of the benchmark's files, whose unit is
# 244 pixels (sic).
ELASTIC = _elastic(
    "elastic_transform",
    _times(224, 0.0625, 0.08125, 0.10625, 0.125, 0.15),
    _times(224, 0.01, 0.01, 0.01, 0.01, 0.01),
    (0, 0, 0, 0, 0),
)
ELASTIC_2019 = _elastic(
    "elastic_transform-2019",
    _times(244, 2, 2, 0.05, 0.07, 0.12),
    _times(244, 0.7, 0.08, 0.01, 0.01, 0.01),
    _times(244, 0.1, 0.2, 0.02, 0.02, 0.02),
)
