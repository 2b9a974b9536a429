"""Parts of a picture that were restored on a smaller copy of it, laid over the picture itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.tiling import Read

# Pixels of the smaller copy that bicubic interpolation looks at beside a window's own.
_AROUND = 2


@dataclass(frozen=True)
class Patch:
    """What to lay over a picture, and where.

    Args:
        times: a power of two: how much smaller the copy is.
        picture: ``B x C x h x w`` with ``h = ceil(H / times)``, ``w = ceil(W / times)``.
        weight: ``B x 1 x h x w`` from 0 (the picture stays as it is, bit for bit) to 1.
    """

    times: int
    picture: Tensor
    weight: Tensor

    def over(self, x: Tensor, top: int, left: int) -> Tensor:
        """``x``, the window of the picture that begins there, with the patch over it.

        The same for a pixel in whatever window it is read.
        """
        bottom, right = top + x.shape[-2], left + x.shape[-1]
        rows = slice(max(0, top // self.times - _AROUND), -(-bottom // self.times) + _AROUND)
        columns = slice(max(0, left // self.times - _AROUND), -(-right // self.times) + _AROUND)
        weight = self.weight[..., rows, columns]
        if not bool(weight.any()):
            return x
        y, z = top - rows.start * self.times, left - columns.start * self.times

        def enlarged(small: Tensor, mode: str) -> Tensor:
            large = F.interpolate(small, scale_factor=self.times, mode=mode, align_corners=False)
            return large[..., y : y + x.shape[-2], z : z + x.shape[-1]].to(x)

        share = enlarged(weight, "bilinear")
        return torch.where(
            share > 0, x + share * (enlarged(self.picture[..., rows, columns], "bicubic") - x), x
        )


def patched(read: Read, patches: Sequence[Patch]) -> Read:
    """``read`` with patches over it, the first one lowest."""

    def both(top: int, bottom: int, left: int, right: int) -> Tensor:
        x = read(top, bottom, left, right)
        for patch in patches:
            x = patch.over(x, top, left)
        return x

    return both if patches else read
