"""Losses between a restored batch and its target, and the one table of their names."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from restore.losses.pixel import charbonnier, l1, l2, psnr_loss

TABLE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "l2": l2,
    "charbonnier": charbonnier,
    "psnr": psnr_loss,
}
