"""One value, or one for each picture of a batch; and a picture at a time through numpy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError


def per_picture(x: Tensor, value: float | Tensor, *, name: str, low: float = 0.0) -> list[float]:
    """``value`` as one number for each of the B pictures of ``x``.

    Args:
        value: one number for all pictures, or B.
        name: what it is, for the message.
        low: the smallest number accepted.

    Raises:
        UsageError: another number of them than of pictures, or one that is not finite or below ``low``.
    """
    numbers: list[float] = torch.as_tensor(value, dtype=torch.float64).flatten().tolist()
    numbers = numbers * len(x) if len(numbers) == 1 else numbers
    if len(numbers) != len(x):
        raise UsageError(f"expected one {name}, or one for each of {len(x)} pictures, got {len(numbers)}")
    for n in numbers:
        if not (math.isfinite(n) and n >= low):
            raise UsageError(f"expected {name} of {low:g} or more, got {n:g}")
    return numbers


def through_numpy(x: Tensor, function: Callable[..., np.ndarray], *columns: list[float]) -> Tensor:
    """``function(H x W x C float32, *values) -> H x W x C`` on every picture; type and device as ``x``."""
    made = []
    for picture, *values in zip(x.detach(), *columns, strict=True):
        pixels = picture.permute(1, 2, 0).to("cpu", torch.float32).contiguous().numpy()
        y = np.ascontiguousarray(function(pixels, *values)).reshape(pixels.shape)
        made.append(torch.from_numpy(y).permute(2, 0, 1).to(picture))
    return torch.stack(made).contiguous()


def plane_by_plane(pixels: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``function(H x W) -> H x W`` on every channel of ``H x W x C``."""
    return np.stack([function(np.ascontiguousarray(pixels[..., c])) for c in range(pixels.shape[-1])], -1)
