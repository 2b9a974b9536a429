"""Masks: which pixels of a picture are missing, given beside it to restorers that fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.errors import ImageError, UsageError
from restore.tiling import Read


def with_mask(read: Read, mask: Any, *, takes: bool, name: str, height: int, width: int) -> Read:
    """``read`` with the mask as a further channel behind the colours, or as it is for restorers without one.

    Args:
        mask: ``H x W`` (or with axes of length 1 before or behind): an array or a tensor, booleans, integers that
            span their type or values in [0, 1]; above one half a pixel is missing. None: none is given.
        takes: whether the restorer needs one.

    Raises:
        UsageError: a mask that is missing, or that nobody asked for.
        ImageError: a mask of another size.
    """
    if mask is None:
        if takes:
            raise UsageError(
                f"{name} needs a mask of what is missing", hint="--mask FOLDER, or restorer(x, mask=m)"
            )
        return read
    if not takes:
        raise UsageError(f"{name} takes no mask", hint="`restore models` says what each one takes")
    missing = as_mask(mask, height, width)

    def both(top: int, bottom: int, left: int, right: int) -> Tensor:
        x = read(top, bottom, left, right)
        part = missing[top:bottom, left:right].to(x)
        return torch.cat([x, part.expand(len(x), 1, -1, -1)], 1)

    return both


def as_mask(mask: Any, height: int, width: int) -> Tensor:
    """``H x W`` float32 of 0 (known) and 1 (missing).

    Raises:
        ImageError: another size.
    """
    values = torch.as_tensor(np.asarray(mask.cpu() if isinstance(mask, Tensor) else mask))
    plane = values.squeeze() if values.ndim > 2 else values
    if values.numel() != height * width or (plane.ndim == 2 and plane.shape != (height, width)):
        raise ImageError(f"expected a mask of {height} x {width}, got {' x '.join(map(str, values.shape))}")
    top = 1.0 if values.is_floating_point() or values.dtype == torch.bool else torch.iinfo(values.dtype).max
    return (values.reshape(height, width).to(torch.float64) > 0.5 * top).float()
