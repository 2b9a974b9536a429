"""``destain``: see-through stains and lettering, found on the picture shrunk to a known size, taken off at its own.

How large a letter or a blot is goes with the picture, not with its pixels: the network looks at the whole picture once,
shrunk until the short side is about 480 pixels, and what it says (how much light was taken, what colour was given) is
enlarged and turned round at every pixel of the picture itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from restore.models.stain import StainNet, lifted
from restore.models.survey import place_of
from restore.restorers.learned import LearnedRestorer
from restore.restorers.shrunk import enlarged_at, shrunk, times_to_shrink
from restore.tiling import Read, run_tiled

# The short side that the network is shown; its fields in training were 384 pixels, out of pictures like these.
SIDE = 480
_MAPS = 7  # share, colour, rest


class StainRestorer(LearnedRestorer):
    """See the module. Pixels without a stain stay as they are, bit for bit."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seeing = (
            self.spec
        )  # of the network on the shrunk picture; windows of the picture need no surroundings
        self.spec = replace(self.spec, radius=0, multiple=1)

    def look(self, read: Read, height: int, width: int) -> Tensor:
        """Share, colour and rest, ``B x 7 x h x w``, of the shrunk picture."""
        small = shrunk(read, height, width, times_to_shrink(height, width, side=SIDE))
        maps = small.new_empty(len(small), _MAPS, *small.shape[-2:])

        def write(top: int, left: int, y: Tensor) -> None:
            maps[..., top : top + y.shape[2], left : left + y.shape[3]] = y

        run_tiled(
            self._find,
            lambda top, bottom, left, right: small[..., top:bottom, left:right],
            write,
            height=small.shape[2],
            width=small.shape[3],
            radius=self.seeing.radius,
            multiple=self.seeing.multiple,
            tile=self.tile,
        )
        return maps

    def beside(self, read: Read, seen: Any, height: int, width: int) -> Read:
        """Windows with what was found there behind their colours."""

        times = times_to_shrink(height, width, side=SIDE)
        rows, columns = (
            times * n for n in seen.shape[-2:]
        )  # what was found may reach a little beyond the picture

        def both(top: int, bottom: int, left: int, right: int) -> Tensor:
            x = read(top, bottom, left, right)
            place = place_of(x, top=top, left=left, height=rows, width=columns)
            return torch.cat([x, enlarged_at(seen, place).to(x)], 1)

        return both

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        assert isinstance(self.net, StainNet)
        picture, share, colour, rest = x.split([x.shape[1] - _MAPS, 1, 3, 3], 1)
        y = lifted(picture.expand(-1, 3, -1, -1), share, colour, rest, faint=self.net.faint)
        y = y if picture.shape[1] == 3 else y.mean(1, keepdim=True)
        return torch.where(share < self.net.faint, picture, y)

    def _find(self, x: Tensor) -> Tensor:
        # In float32: which pixels are touched must not hang on the processor's short numbers.
        with torch.autocast(self.device.type, enabled=False):
            said = self.net(x.expand(-1, 3, -1, -1), parts=True)
        return torch.cat([said["mask"].sigmoid(), said["colour"], said["rest"]], 1)
