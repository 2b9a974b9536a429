"""``oldphoto``: what lies on a picture (scratches, dust, folds, marks) is found, then filled as holes are.

One network says where (``marks``), another one fills (``inpaint``). Every other pixel stays as it is, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.models.finder import Finder
from restore.models.registry import load_shipped
from restore.models.windows import largest
from restore.names import Value, format_name
from restore.restorers.base import Restorer, RestorerSpec
from restore.restorers.learned import check_values

NAME = "oldphoto"
TASK = "oldphoto"
DESCRIPTION = "scratches, dust, folds and marks on old photographs: found, then filled; the rest stays (sure)"
FINDER, FILLER = "marks", "inpaint"
# How sure the finder must be, and how far around what it found is filled too: marks have soft rims.
_SURE, _RIM = 0.5, 1


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
        net, header = load_shipped(FINDER)
        assert isinstance(net, Finder)
        self.net = net.to(device).to(memory_format=torch.channels_last)
        inner = self.filler.spec
        spec = RestorerSpec(
            task=TASK,
            kind=inner.kind,
            description=DESCRIPTION,
            engine=inner.engine,
            radius=net.radius + _RIM + inner.radius,
            multiple=max(net.multiple, inner.multiple),
            takes=("sure",),
            precision=inner.precision,
        )
        parts = f"{header['sha256']} {self.filler.fingerprint} {self.sure}"
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:16]
        super().__init__(format_name(NAME, values), spec, fingerprint=fingerprint, device=device, tile=tile)

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        # In float32: whether a pixel is filled must not hang on how a window was cut.
        share = self.net(x.float().expand(-1, 3, -1, -1)).sigmoid()
        holes = largest((share > self.sure).to(x.dtype), _RIM)
        return self.filler.restore_window(torch.cat([x, holes], 1), None, exact=exact)
