"""How noisy a picture is, looked up once per picture before its windows are restored."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from restore.models.noise_level import NoiseLevel
from restore.models.registry import load_shipped
from restore.restorers.base import Read
from restore.runtime import autocast

# Pictures up to this many pixels are looked at whole; larger ones through nine windows of this side, which is
# enough to know a level to about one percent and costs the same however large the picture is.
_LOOK_WHOLE = 150_000
_LOOK_SIDE = 128
# Below this a picture counts as clean and is left as it is; up to twice as much the strength rises smoothly.
CLEAN_SIGMA = 1.5 / 255


@cache
def shipped_estimator(device: torch.device) -> tuple[NoiseLevel, str]:
    """The shipped estimator on a device, and its SHA-256."""
    net, header = load_shipped("noise-level")
    assert isinstance(net, NoiseLevel)
    return net.to(device).to(memory_format=torch.channels_last), str(header["sha256"])


def look_for_noise(
    read: Read, height: int, width: int, *, device: torch.device, precision: str = "fp32"
) -> Tensor:
    """B standard deviations in units of [0, 1], from the whole picture or, for large ones, nine windows."""
    estimator, _ = shipped_estimator(device)
    whole = height * width <= _LOOK_WHOLE
    places = [(0, height, 0, width)] if whole else look_places(height, width)
    parts = [read(*place).expand(-1, 3, -1, -1) for place in places]
    x = torch.cat(parts).contiguous(memory_format=torch.channels_last)
    with autocast(device, precision):
        total, weight = (s.view(len(places), -1).sum(0) for s in estimator.sums(x))
    return (total / weight).clamp(min=0)


def look_places(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """At most nine windows of one size on a 3 x 3 grid, as (top, bottom, left, right)."""

    def starts(length: int) -> list[int]:
        last = max(0, length - _LOOK_SIDE)
        return sorted({0, last // 2, last})

    return [
        (top, min(height, top + _LOOK_SIDE), left, min(width, left + _LOOK_SIDE))
        for top in starts(height)
        for left in starts(width)
    ]


def damp_clean(sigma: Tensor) -> Tensor:
    """Estimates below ``CLEAN_SIGMA`` become 0 (leave the picture alone), rising smoothly to full at twice that."""
    t = ((sigma - CLEAN_SIGMA) / CLEAN_SIGMA).clamp(0, 1)
    return sigma * t * t * (3 - 2 * t)
