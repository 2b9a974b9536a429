"""A plausible depth of a scene drawn from a seed, for weather where no depth is known.

A network could tell the depth of a photograph; a simulator for training pairs needs no truth, only variety
with the statistics of scenes: far at the top, a ground that comes nearer towards the bottom, walls that lean
away, and objects without a fixed plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.fields import fbm
from restore.degradations.knob import Knob
from restore.errors import UsageError
from restore.files import read_picture
from restore.image import array_to_tensor, to_grey
from restore.resample import imresize

Depth: TypeAlias = Tensor | Sequence[str] | None
DEPTH = Knob(
    "picture of the depth, black at the camera, white farthest; none: drawn from the seed", text=True
)


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


def with_depth(values: Mapping[str, Any], depth: Depth) -> dict[str, Any]:
    """Recorded values of a degradation with a caller's depth, where there is one, in place of the recorded name."""
    return {**values, "depth": values.get("depth") if depth is None else depth}


def depths(seeds: Tensor, shape: tuple[int, ...], depth: Depth = None) -> list[Tensor]:
    """Per sample a depth ``1 x 1 x H x W``: the caller's ``depth`` where given, else drawn from the seed.

    Args:
        shape: (B, C, H, W).
        depth: ``B x 1 x H x W`` or ``H x W``, from 0 (at the camera) to 1 (where the strengths are meant); or B names
            of files that hold it (:func:`read_depth`), empty where it is to be drawn.

    Raises:
        UsageError: a depth of another shape, or below zero.
        ImageError: a file that is no picture.
    """
    height, width = shape[-2:]
    if depth is None:
        depth = [""] * len(seeds)
    if not isinstance(depth, Tensor):
        return [
            read_depth(name, height, width) if name else depth_proxy(seed, height, width)[None, None]
            for name, seed in zip(depth, seeds.tolist(), strict=True)
        ]
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


def read_depth(path: str, height: int, width: int) -> Tensor:
    """A picture of the depth as ``1 x 1 x H x W``: black (0) at the camera, white (1) the farthest, enlarged or
    reduced bilinearly to the size of the scene; colours count as their luma.

    Raises:
        UsageError: values below zero or not finite (a floating file).
        ImageError: no picture.
    """
    plane = to_grey(array_to_tensor(read_picture(Path(path)).pixels)[:, :3])
    if not bool((plane >= 0).all() & torch.isfinite(plane).all()):
        raise UsageError(f"{path}: expected depths from 0 (at the camera) to 1 (the farthest)")
    return imresize(plane, size=(height, width), kernel="bilinear").clamp(min=0)


def _filled(plane: Tensor) -> Tensor:
    """Scaled to fill [0, 1]; a flat plane becomes one half."""
    low, high = plane.min(), plane.max()
    return (plane - low) / (high - low) if high > low else torch.full_like(plane, 0.5)
