"""Networks that fill what a mask says is missing, as restorers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from restore.restorers.learned import LearnedRestorer
from restore.restorers.turns import mean_of_turns
from restore.runtime import autocast
from restore.tiling import Read


class MaskedRestorer(LearnedRestorer):
    """A network that fills what a mask, the last channel of its windows, says is missing."""

    by_engines = False
    channels = 4  # of what the network is given

    def look(self, read: Read, height: int, width: int) -> None:
        return None

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        picture, mask = x[:, :-1], x[:, -1:]
        if not bool(mask.any()):
            return picture.clone()
        both = torch.cat([picture.expand(-1, 3, -1, -1), mask], 1)
        both = both.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, "fp32" if exact else self.spec.precision):
            y = mean_of_turns(self.net, both, count=self.turns, multiple=self.spec.multiple, scale=1)
        y = y if picture.shape[1] == 3 else y.mean(1, keepdim=True)
        return torch.where(mask > 0, y, picture)  # what is known stays, bit for bit
