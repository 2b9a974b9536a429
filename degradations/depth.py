"""A plausible depth of a scene drawn from a seed, for weather where no depth is known.

A network could tell the depth of a photograph; a simulator for training pairs needs no truth, only variety
with the statistics of scenes: far at the top, a ground that comes nearer towards the bottom, walls that lean
away, and objects without a fixed plan.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.fields import fbm
from restore.errors import UsageError


def depth_proxy(seed: int, height: int, width: int) -> Tensor:
    """Relative depth ``H x W`` in (0, 1], 1 the farthest point, float32.

    A ground plane seen in perspective below a random horizon, a leaning plane and fractal relief, mixed with
    random weights [our own].
    """
    g = draw.generator(draw.child_seed(seed, "depth"))
    horizon, softness, lean, nearest, a, b, c = draw.draw_uniform(7, 0.0, 1.0, g).tolist()
    v = ((torch.arange(height) + 0.5) / height)[:, None]
    u = ((torch.arange(width) + 0.5) / width)[None] - 0.5
    # The ground's distance goes with one over how far below the horizon it is seen.
    # Distant ground fades into the horizon: a kink there would draw a line across a sky.
    below = 0.05 * torch.nn.functional.softplus((v - (0.55 * horizon - 0.1)) / 0.05)
    ground = 1 / (1 + below / (0.1 + 0.3 * softness))
    plane = (1 - v) + (2 * lean - 1) * u
    relief = fbm(draw.child_seed(seed, "relief"), height, width, cells=1.5, persistence=0.45)
    mixed = (0.5 + a) * _filled(ground + 0 * u) + 0.6 * b * _filled(plane) + 0.5 * c * relief
    nearest = 0.1 + 0.2 * nearest
    return nearest + (1 - nearest) * _filled(mixed)


def depths(seeds: Tensor, shape: tuple[int, ...], depth: Tensor | None = None) -> list[Tensor]:
    """Per sample a depth ``1 x 1 x H x W``: the caller's ``depth`` where given, else drawn from the seed.

    Args:
        shape: (B, C, H, W).
        depth: ``B x 1 x H x W`` or ``H x W``, from 0 (at the camera) to 1 (where the strengths are meant).

    Raises:
        UsageError: a depth of another shape, or below zero.
    """
    height, width = shape[-2:]
    if depth is None:
        return [depth_proxy(s, height, width)[None, None] for s in seeds.tolist()]
    given = depth.view(1, 1, *depth.shape) if depth.ndim == 2 else depth
    if given.ndim != 4 or given.shape[1:] != (1, height, width) or len(given) not in (1, len(seeds)):
        raise UsageError(
            f"expected a depth of {len(seeds)} x 1 x {height} x {width}, got {tuple(depth.shape)}",
            hint="one plane per picture, as large as the picture",
        )
    if not bool((given >= 0).all()):
        raise UsageError(
            "expected depths from 0 (at the camera) to 1 (the farthest), got some below zero or NaN"
        )
    return list(given.expand(len(seeds), 1, height, width).split(1))


def _filled(plane: Tensor) -> Tensor:
    """Scaled to fill [0, 1]; a flat plane becomes one half."""
    low, high = plane.min(), plane.max()
    return (plane - low) / (high - low) if high > low else torch.full_like(plane, 0.5)
