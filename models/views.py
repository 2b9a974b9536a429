"""What a network that looks at the whole picture may be shown of it, by name."""

from __future__ import annotations

from torch import Tensor

from restore.errors import UsageError
from restore.models.lags import lags
from restore.models.look import thumbnail


def view_of(name: str, x: Tensor) -> Tensor:
    """``lags``, or a ``thumbnail:SIDE``, of whole pictures ``B x C x H x W``.

    Raises:
        UsageError: another name.
    """
    kind, _, side = name.partition(":")
    if name == "lags":
        return lags(x)
    if kind == "thumbnail" and side.isdigit() and int(side):
        return thumbnail(x, int(side))
    raise UsageError(f"expected lags or thumbnail:SIDE, got {name!r}")
