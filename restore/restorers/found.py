"""``oldphoto``: what lies on a picture (scratches, dust, folds, marks) is found, then filled as holes are.

One network says where (:mod:`restore.restorers.marks`), another one fills (``inpaint``). Every other pixel stays as it
is, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.models.windows import largest
from restore.names import Value, format_name
from restore.restorers.base import Restorer
from restore.restorers.marks import find_marks, shipped_finder
from restore.restorers.shrunk import SIDE
from restore.restorers.values import check_values
from restore.tiling import Read

NAME = "oldphoto"
TASK = "oldphoto"
DESCRIPTION = "scratches, dust, folds and marks on old photographs: found, then filled; the rest stays (sure)"
FILLER = "inpaint"
# How sure the finder must be, and how far around what it found (in pixels of what it saw) is filled too: marks have
# soft rims.
_SURE, _RIM = 0.8, 1


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
        sure = values.get("sure", _SURE)
        if isinstance(sure, bool | str) or not 0 < sure < 1:
            raise UsageError(f"{NAME}: expected sure above 0 and below 1, got {sure!r}")
        self.sure = float(sure)
        self.filler = load(FILLER)
        _, sha256 = shipped_finder(device)  # damaged weights are said before any work
        spec = replace(self.filler.spec, task=TASK, description=DESCRIPTION, takes=("sure",), mask=False)
        parts = f"{sha256} {self.filler.fingerprint} {self.sure} {SIDE}"
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:16]
        super().__init__(format_name(NAME, values), spec, fingerprint=fingerprint, device=device, tile=tile)

    def look(self, read: Read, height: int, width: int) -> tuple[int, Tensor]:
        """By how much the picture was shrunk, and where it is to be filled: ``B x 1 x h x w`` of zeros and ones."""
        times, likely = find_marks(read, height, width, device=self.device)
        return times, largest((likely > self.sure).float(), _RIM)

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
