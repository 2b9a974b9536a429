"""Pictures to invert: of the generator's kind, moved away from it, of another kind, and drawn phantoms.

Shifts follow the protocol of the SPHInX comparison: magnitudes stated at 1024 px, scaled to the resolution, one
bilinear warp about the centre. Every function returns ``N x C x R x R`` in [0, 1], always the same for a seed.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.data.fixed_size import open_pictures
from restore.degradations import sample as draw
from restore.errors import UsageError, unknown
from restore.names import parse_name

# Pixels at 1024, degrees, and factors, as published.
SHIFTS = (
    "translate:by=0",
    "translate:by=50",
    "translate:by=100",
    "translate:by=150",
    "rotate:by=10",
    "rotate:by=20",
    "rotate:by=30",
    "scale:by=0.75",
    "scale:by=0.875",
    "scale:by=1.125",
    "scale:by=1.25",
)
FILLS = ("reflect", "black")


def held_out(data: Path, count: int, *, resolution: int, channels: int, seed: int = 0) -> Tensor:
    """``count`` pictures of the test split, chosen by the seed."""
    found = open_pictures(data, resolution=resolution, channels=channels, split="test")
    g = draw.generator(draw.child_seed(seed, "held out"))
    if len(found) < count:
        raise UsageError(f"expected {count} test pictures in {str(data)!r}, got {len(found)}")
    return found.pixels[torch.randperm(len(found), generator=g)[:count]].float() / 255


def shifted(x: Tensor, spec: str, *, fill: str = "reflect") -> Tensor:
    """``translate:by=50`` (px at 1024, to the right and down), ``rotate:by=10`` (degrees), ``scale:by=1.25``.

    Args:
        fill: of what comes in at the border: "reflect" or "black".

    Raises:
        UsageError: another name or fill.
    """
    name, options = parse_name(spec)
    by = float(options.get("by", 0))
    if fill not in FILLS:
        raise unknown("fill", fill, FILLS)
    theta = torch.eye(2, 3)
    if name == "translate":
        # affine_grid looks from the result back; the picture is 2 units wide.
        theta[:, 2] = -2 * by / 1024
    elif name == "rotate":
        turn = math.radians(by)
        theta[:, :2] = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    elif name == "scale":
        theta[:, :2] /= by
    else:
        raise unknown("shift", name, ("translate", "rotate", "scale"))
    if by == (1.0 if name == "scale" else 0.0):
        return x
    grid = F.affine_grid(theta.expand(len(x), -1, -1), list(x.shape), align_corners=False)
    mode = "reflection" if fill == "reflect" else "zeros"
    return F.grid_sample(x, grid, padding_mode=mode, align_corners=False).clamp(0, 1)


def digits(count: int, *, resolution: int, channels: int, seed: int = 0) -> Tensor:
    """Handwritten digits (scikit-learn's 8 x 8, enlarged bicubically): another kind of picture than clothes.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UsageError("the digits are in scikit-learn", hint="pip install scikit-learn") from error
    found = torch.from_numpy(load_digits().images).float()[:, None] / 16
    g = draw.generator(draw.child_seed(seed, "digits"))
    chosen = found[torch.randperm(len(found), generator=g)[:count]]
    inner = resolution * 3 // 4
    large = F.interpolate(chosen, (inner, inner), mode="bicubic", align_corners=False).clamp(0, 1)
    before = (resolution - inner) // 2
    after = resolution - inner - before
    return F.pad(large, (before, after, before, after)).expand(-1, channels, -1, -1).contiguous()


def ellipses(count: int, *, resolution: int, channels: int, seed: int = 0) -> Tensor:
    """Phantoms like Shepp and Logan's: a bright rim, grey inside, six random ellipses; area-averaged from 4 times."""
    g = draw.generator(draw.child_seed(seed, "ellipses"))
    side = 4 * resolution
    y, x = _places(side)
    made = []
    for _ in range(count):
        image = 0.9 * _ellipse(x, y, 0, 0, 0.8, 0.9, 0) - 0.6 * _ellipse(x, y, 0, 0, 0.73, 0.83, 0)
        for _ in range(6):
            u = torch.rand(6, generator=g).tolist()
            spot = _ellipse(
                x, y, u[0] - 0.5, u[1] - 0.5, 0.05 + 0.25 * u[2], 0.05 + 0.3 * u[3], math.pi * u[4]
            )
            image = image + (0.5 * u[5] - 0.2) * spot
        made.append(image)
    return _small(torch.stack(made), resolution, channels)


def fundus(count: int, *, resolution: int, channels: int, seed: int = 0) -> Tensor:
    """Phantoms like a fundus: a shaded disc, a bright spot, dark vessels that branch from it."""
    g = draw.generator(draw.child_seed(seed, "fundus"))
    side = 4 * resolution
    y, x = _places(side)
    made = []
    for _ in range(count):
        u = torch.rand(3, generator=g).tolist()
        spot_y, spot_x = 0.4 * (u[0] - 0.5), 0.5 if u[1] < 0.5 else -0.5
        disc = torch.sigmoid((0.9 - (x.square() + y.square()).sqrt()) * 60)
        image = disc * (0.55 - 0.15 * (x.square() + y.square()) + 0.1 * u[2])
        image = (
            image + 0.4 * torch.exp(-((x - spot_x).square() + (y - spot_y).square()) / (2 * 0.1**2)) * disc
        )
        for _ in range(7):
            angle = float(torch.rand(1, generator=g)) * 2 * math.pi
            bend = (float(torch.rand(1, generator=g)) - 0.5) * 1.5
            for step in range(40):
                reach = 0.03 * step
                at = angle + bend * reach
                py, px = spot_y + reach * math.sin(at), spot_x + reach * math.cos(at)
                width = 0.03 * (1 - step / 60)
                near = ((x - px).square() + (y - py).square()) < width**2
                image = torch.where(near & (disc > 0.5), torch.minimum(image, image.new_tensor(0.22)), image)
        made.append(image)
    return _small(torch.stack(made), resolution, channels)


def _places(side: int) -> tuple[Tensor, Tensor]:
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    return line[:, None].expand(side, side), line[None].expand(side, side)


def _ellipse(x: Tensor, y: Tensor, cx: float, cy: float, a: float, b: float, turn: float) -> Tensor:
    c, s = math.cos(turn), math.sin(turn)
    u, v = (x - cx) * c + (y - cy) * s, (y - cy) * c - (x - cx) * s
    return ((u / a).square() + (v / b).square() <= 1).float()


def _small(image: Tensor, resolution: int, channels: int) -> Tensor:
    made = F.adaptive_avg_pool2d(image[:, None], resolution).clamp(0, 1)
    return made.expand(-1, channels, -1, -1).contiguous()
