"""Networks that look at the whole picture once, as restorers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from restore.models.survey import place_of
from restore.restorers.learned import LearnedRestorer
from restore.runtime import autocast
from restore.tiling import Read


class GuidedRestorer(LearnedRestorer):
    """A network that looks at the whole picture once and tells its windows what it saw."""

    by_engines = False

    def look(self, read: Read, height: int, width: int) -> Tensor:
        """What the network says of the whole picture, ``B x N``; the same for all windows."""
        net: Any = self.net
        return net.look(net.read_view(read, height, width))

    def beside(self, read: Read, seen: Any, height: int, width: int) -> Read:
        """For a network that asks for it: windows with the place of every pixel behind their colours."""
        if not self.placed:
            return read

        def both(top: int, bottom: int, left: int, right: int) -> Tensor:
            x = read(top, bottom, left, right)
            return torch.cat([x, place_of(x, top=top, left=left, height=height, width=width).to(x)], 1)

        return both

    def answer(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        picture, place = (x[:, :-2], x[:, -2:]) if self.placed else (x, x[:, :0])
        given = torch.cat([picture.expand(-1, 3, -1, -1), place], 1)
        given = given.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, "fp32" if exact else self.spec.precision):
            y = self.net(given, seen)
        return y if picture.shape[1] == 3 else y.mean(1, keepdim=True)
