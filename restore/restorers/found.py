"""``oldphoto``: what lies on a picture (scratches, dust, folds, marks) is found, then filled as holes are.

One network says where (:mod:`restore.restorers.marks`), another one fills (``inpaint``), and a third one says of every
thing that was found whether filling it is worth it (``worth``): what covers little, or is no damage, is left. Every
other pixel stays as it is, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError
from restore.models.registry import load_shipped
from restore.models.windows import largest
from restore.models.worth import Worth
from restore.names import Value, format_name
from restore.restorers.base import Restorer
from restore.restorers.marks import marked, shipped_finder
from restore.restorers.shrunk import SIDE, shrunk, times_to_shrink
from restore.restorers.things import Things, things_on
from restore.restorers.values import check_values
from restore.tiling import Read

NAME = "oldphoto"
TASK = "oldphoto"
DESCRIPTION = "scratches, dust, folds and marks on old photographs: found, then filled; the rest stays (sure)"
FILLER = "inpaint"
JUDGE = "worth"
# How sure the finder must be, and how far around what it found (in pixels of what it saw) is filled too: marks have
# soft rims.
SURE, _RIM = 0.5, 1


@cache
def shipped_judge() -> tuple[Worth, str]:
    """The shipped network that says what is worth filling, on the CPU, and its SHA-256."""
    net, header = load_shipped(JUDGE)
    assert isinstance(net, Worth)
    return net, str(header["sha256"])


def find_things(
    read: Read, height: int, width: int, *, fill: Restorer, sure: float, device: torch.device
) -> tuple[Tensor, Tensor, list[Things]]:
    """A picture (or several) shrunk, that filled wherever something was found, and what was found on each."""
    small = shrunk(read, height, width, times_to_shrink(height, width))
    likely = marked(small, device=device)
    hole = largest((likely > sure).float(), _RIM)
    filled = fill.restore_window(torch.cat([small, hole], 1), None).float()
    each = zip(small, filled, likely[:, 0], hole[:, 0], strict=True)
    return small, filled, [things_on(*one, sure=sure) for one in each]


class FoundRestorer(Restorer):
    """See the module. ``sure``, above 0 and below 1, is how sure the finder must be.

    Raises:
        UsageError: a value out of range.
    """

    def __init__(
        self,
        load: Callable[[str], Restorer],
        *,
        device: torch.device,
        tile: int | None,
        values: dict[str, Value],
    ) -> None:
        check_values(NAME, values, ("sure",))
        sure = values.get("sure", SURE)
        if isinstance(sure, bool | str) or not 0 < sure < 1:
            raise UsageError(f"{NAME}: expected sure above 0 and below 1, got {sure!r}")
        self.sure = float(sure)
        self.filler = load(FILLER)
        _, sha256 = shipped_finder(device)  # damaged weights are said before any work
        spec = replace(self.filler.spec, task=TASK, description=DESCRIPTION, takes=("sure",), mask=False)
        _, judge = shipped_judge()
        parts = f"{sha256} {judge} {self.filler.fingerprint} {self.sure} {SIDE}"
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:16]
        super().__init__(format_name(NAME, values), spec, fingerprint=fingerprint, device=device, tile=tile)

    def look(self, read: Read, height: int, width: int) -> tuple[int, Tensor]:
        """By how much the picture was shrunk, and where it is to be filled: ``B x 1 x h x w`` of zeros and ones."""
        small, _, found = find_things(
            read, height, width, fill=self.filler, sure=self.sure, device=self.device
        )
        judge, _ = shipped_judge()
        holes = []
        for things in found:
            with torch.no_grad():
                worth = np.flatnonzero(judge.chosen(things.features, things.named.size).numpy()) + 1
            holes.append(torch.from_numpy(np.isin(things.named, worth)))
        return times_to_shrink(height, width), torch.stack(holes).float()[:, None].to(small.device)

    def beside(self, read: Read, seen: Any, height: int, width: int) -> Read:
        """Windows with the holes in them as a further channel, as the filler is told of them."""
        times, holes = seen

        def both(top: int, bottom: int, left: int, right: int) -> Tensor:
            x = read(top, bottom, left, right)
            part = holes[..., top // times : -(-bottom // times), left // times : -(-right // times)]
            part = part.repeat_interleave(times, 2).repeat_interleave(times, 3)
            y, z = top % times, left % times
            return torch.cat([x, part[..., y : y + bottom - top, z : z + right - left].to(x)], 1)

        return both

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        return self.filler.restore_window(x, None, exact=exact)
