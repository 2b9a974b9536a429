"""Blur by straight lines, by turning, and in parts of the picture only."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.convolve import BORDERS, convolve
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.drawn_depth import drawn_depth
from restore.degradations.fields import uniforms
from restore.degradations.haze import each
from restore.degradations.knob import Knob
from restore.degradations.optics import look, places
from restore.degradations.psf import disc_psf, gaussian_psf
from restore.degradations.stamps import line_shape, smooth_plane

KINDS = ("disc", "gaussian", "line")
PARTS = ("blobs", "surround", "middle", "depth")
_FEWEST, _MOST = 5, 32  # pictures in the mean of a turn


def line_blur(x: Tensor, *, seed: Tensor, length: Tensor, angle: Tensor, border: list[str]) -> Tensor:
    """The camera, or all of the scene, moves evenly: a line of ``length`` pixels at ``angle`` degrees, centred."""
    rows = zip(x.split(1), length.tolist(), angle.tolist(), border, strict=True)
    return torch.cat([convolve(part, line_psf(n, a), border=edge) for part, n, a, edge in rows])


def line_psf(length: float, angle: float) -> Tensor:
    """An even line, 1 pixel wide, of ``length`` pixels, ``angle`` degrees counter-clockwise from the horizontal."""
    shape = torch.from_numpy(line_shape(length, 1.0, angle + 90, taper=0.0)).double()
    return shape / shape.sum()


def rotation_blur(x: Tensor, *, seed: Tensor, angle: Tensor, offset: Tensor) -> Tensor:
    """The camera rolls while the shutter is open: the mean over turns of ``angle`` degrees in all, half to each side.

    Args:
        offset: B distances of the centre from the middle of the picture, over half its diagonal, in a direction drawn
            from the seed.
    """
    made = []
    for part, (s, turn, far) in zip(x, each(seed, angle, offset), strict=True):
        wide = part.to(torch.promote_types(x.dtype, torch.float32))
        u, v = places(wide)
        way = 2 * math.pi * float(uniforms(draw.child_seed(s, "centre"), 1))
        cu, cv = far * math.cos(way), far * math.sin(way)
        arc = math.radians(turn) * math.hypot(*part.shape[-2:]) / 2
        count = min(max(math.ceil(arc), _FEWEST), _MOST)
        total = torch.zeros_like(wide)
        for i in range(count):
            a = math.radians(turn) * ((i + 0.5) / count - 0.5)
            c, d = math.cos(a), math.sin(a)
            total += look(wide, cu + c * (u - cu) - d * (v - cv), cv + d * (u - cu) + c * (v - cv))
        made.append((total / count).to(x.dtype))
    return torch.stack(made)


def partial_blur(
    x: Tensor, *, seed: Tensor, size: Tensor, kind: list[str], part: list[str], border: list[str]
) -> Tensor:
    """Blur in a part of the picture, mixed in softly: something moves, or lies out of focus.

    Args:
        size: B radii of a disc, twice the sigmas of a Gaussian, halves of a line's length, pixels.
        kind: B names: "disc", "gaussian", "line".
        part: B names: "blobs" (some things), "surround" (all but the middle), "middle", "depth" (more with distance).
    """
    made = []
    for one, (s, r, how, where, edge) in zip(x.split(1), each(seed, size, kind, part, border), strict=True):
        psf = _psf(how, r, s)
        weight = _part(s, (one.shape[-2], one.shape[-1]), where).to(one)
        soft = convolve(one, psf, border=edge)
        if where == "depth":  # less blur where it is nearer, not a mix with the sharp picture
            half = convolve(one, _psf(how, r / 2, s), border=edge)
            low, high = (2 * weight).clamp(max=1), (2 * weight - 1).clamp(min=0)
            made.append(one + low * (half - one) + high * (soft - half))
        else:
            made.append(one + weight * (soft - one))
    return torch.cat(made)


def _psf(kind: str, size: float, seed: int) -> Tensor:
    if kind == "disc":
        return disc_psf(size, alias=0.4)
    if kind == "gaussian":
        return gaussian_psf(size / 2)
    return line_psf(2 * size, 180 * float(uniforms(draw.child_seed(seed, "direction"), 1)))


def _part(seed: int, size: tuple[int, int], where: str) -> Tensor:
    """Where it is blurred, ``1 x 1 x H x W`` in [0, 1]."""
    seed = draw.child_seed(seed, "part")
    if where == "depth":
        return drawn_depth(seed, size, "plane")
    u = uniforms(seed, 5).tolist()
    if where == "blobs":
        plane = torch.from_numpy(smooth_plane(seed, *size, cells=1.5 + 2 * u[0], octaves=2))
        return ((plane - plane.quantile(0.35 + 0.35 * u[1])) / 0.08 + 0.5).clamp(0, 1)[None, None]
    y = ((torch.arange(size[0]) + 0.5) / size[0] - 0.35 - 0.3 * u[0]) / (0.2 + 0.3 * u[1])
    x = ((torch.arange(size[1]) + 0.5) / size[1] - 0.35 - 0.3 * u[2]) / (0.2 + 0.3 * u[3])
    away = (y[:, None] ** 2 + x[None] ** 2).sqrt()
    outside = ((away - 1) / (0.1 + 0.4 * u[4]) + 0.5).clamp(0, 1)[None, None]
    return outside if where == "surround" else 1 - outside


_BORDER = Knob("what lies beyond the edge", choices=BORDERS, default="reflect")
# Ranges and severities: [ours].
LINE_BLUR = Degradation(
    "line-blur",
    line_blur,
    {
        "length": Knob(
            "length of the line, pixels",
            span=(3.0, 40.0),
            legal=(0.0, 2000.0),
            levels={32: (2.5, 3.5, 4.5, 6, 8), 224: (5, 9, 14, 20, 28)},
            is_length=True,
        ),
        "angle": Knob("degrees counter-clockwise", span=(0.0, 180.0), legal=(-360.0, 360.0)),
        "border": _BORDER,
    },
)
ROTATION_BLUR = Degradation(
    "rotation-blur",
    rotation_blur,
    {
        "angle": Knob(
            "turn while the shutter is open, degrees",
            span=(1.0, 10.0),
            legal=(0.0, 180.0),
            levels={32: (3, 5, 8, 11, 15), 224: (1.5, 2.5, 4, 6, 9)},
        ),
        "offset": Knob("of the centre over half the diagonal", span=(0.0, 1.0), legal=(0.0, 10.0)),
    },
)
PARTIAL_BLUR = Degradation(
    "partial-blur",
    partial_blur,
    {
        "size": Knob(
            "radius of a disc, half of a line, twice a sigma, pixels",
            span=(1.5, 8.0),
            legal=(0.0, 500.0),
            levels={32: (1, 1.3, 1.7, 2.2, 3), 224: (2, 3, 4.5, 6.5, 9)},
            is_length=True,
        ),
        "kind": Knob("of blur", choices=KINDS, default="disc|gaussian|line"),
        "part": Knob("where", choices=PARTS, default="|".join(PARTS)),
        "border": _BORDER,
    },
)
TABLE = {d.name: d for d in (LINE_BLUR, ROTATION_BLUR, PARTIAL_BLUR)}
