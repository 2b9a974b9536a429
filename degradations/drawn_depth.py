"""Depths of scenes in several plans, drawn from a seed: planes, perspective, patches, layers."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.fields import uniforms
from restore.degradations.stamps import smooth_plane

PLANS = ("plane", "perspective", "patches", "layers", "even")
_LAYERS = 5  # at most


def drawn_depth(seed: int, size: tuple[int, int], plan: str) -> Tensor:
    """Relative depth ``1 x 1 x H x W`` in [0, 1], float32, filling it unless "even", which is 1 everywhere.

    Args:
        plan: "plane" a ramp with smooth noise, mostly upwards; "perspective" a ground below a horizon; "patches"
            smooth noise alone; "layers" ridges one behind the other, each of one depth.
    """
    height, width = size
    seed = draw.child_seed(seed, "plan", plan)
    u = uniforms(seed, 8).numpy()
    v = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    if plan == "even":
        plane: np.ndarray = np.ones((height, width), np.float32)
    elif plan == "layers":
        plane = _layers(seed, height, width, v, u)
    else:
        noise = smooth_plane(seed, height, width, cells=1.5 + 3 * float(u[0]), octaves=3)
        plane = noise
        if plan == "plane":
            turn = (0.9 if u[1] < 0.8 else math.pi) * (2 * u[2] - 1)
            across = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None]
            plane = (1 - v) * math.cos(turn) + across * math.sin(turn) + 0.6 * float(u[3]) * noise
        elif plan == "perspective":
            below = np.logaddexp(0, (v - (0.1 + 0.45 * u[4])) / 0.04) * 0.04
            plane = 1 / (1 + below / (0.04 + 0.25 * u[5])) + 0.4 * u[3] * noise
        low, high = float(plane.min()), float(plane.max())
        plane = (plane - low) / (high - low) if high > low else np.full_like(plane, 0.5)
    return torch.from_numpy(np.ascontiguousarray(plane, np.float32))[None, None]


def _layers(seed: int, height: int, width: int, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Far at the top; every ridge is nearer than the one behind it."""
    count = 2 + int(u[0] * (_LAYERS - 1))
    plane = np.ones((height, width), np.float32)
    for i in range(1, count + 1):
        ridge = smooth_plane(draw.child_seed(seed, i), 3, max(width, 3), cells=0.4, octaves=4)[1, :width]
        line = (0.1 + 0.85 * i / (count + 1)) + (0.35 / count) * (ridge - 0.5)
        inside = np.clip((v - line[None]) * height + 0.5, 0, 1)
        plane += inside * ((1 - i / count) ** (0.7 + u[1]) - plane)
    return plane
