"""Training-free methods behind the face of a restorer."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.names import Value, format_name
from restore.restorers.base import Read, Restorer, RestorerSpec
from restore.restorers.learned import check_values
from restore.restorers.method import Method
from restore.restorers.methods import METHODS_TABLE
from restore.restorers.noise import damp_clean, look_for_noise
from restore.version import __version__

__all__ = ["METHODS_TABLE", "ClassicalRestorer", "Method", "load_classical"]

# The side of a window that no picture exceeds.
_WHOLE = 1 << 30


class ClassicalRestorer(Restorer):
    """A function with fixed values; a missing ``sigma`` is estimated from the picture."""

    def __init__(
        self, name: str, method: Method, *, device: torch.device, tile: int | None, values: dict[str, Value]
    ) -> None:
        scale = 1
        if "scale" in method.takes:
            scale = _whole_scale(name, values)
        self.method = method
        self.values: dict[str, Any] = dict(values)
        self.blind = "sigma" in method.takes and "sigma" not in values
        if "sigma" in values:
            self.values["sigma"] = float(values["sigma"]) / 255
        spec = RestorerSpec(
            task=method.task,
            kind="classical",
            description=method.description,
            scale=scale,
            radius=method.radius,
            multiple=method.multiple,
            takes=method.takes,
        )
        label = format_name(name, values)
        fingerprint = hashlib.sha256(f"{label} {__version__}".encode()).hexdigest()[:16]
        side = _WHOLE if method.whole else tile
        super().__init__(label, spec, fingerprint=fingerprint, device=device, tile=side)

    def look(self, read: Read, height: int, width: int) -> Tensor | None:
        """The noise level (B values in units of [0, 1]) where the method needs one and none is given."""
        return damp_clean(look_for_noise(read, height, width, device=self.device)) if self.blind else None

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        return self.method.function(x, **self.values, **({} if seen is None else {"sigma": seen}))


def load_classical(
    name: str, *, device: torch.device, tile: int | None, values: dict[str, Value]
) -> ClassicalRestorer:
    """A method of the table with its values checked.

    Raises:
        UsageError: a value it does not take, a missing or fractional scale.
    """
    method = METHODS_TABLE[name]
    check_values(name, values, method.takes)
    for key, value in values.items():
        if key not in ("sigma", "scale"):  # these have messages of their own
            method.options[key].check(name, key, value)
    if "blur" in method.options and not (values.get("blur") or values.get("disc")):
        raise UsageError(
            f"{name} needs a point spread function", hint=f"write {name}:blur=1.6 or {name}:disc=3"
        )
    return ClassicalRestorer(name, method, device=device, tile=tile, values=values)


def _whole_scale(name: str, values: dict[str, Value]) -> int:
    scale = values.get("scale")
    if scale is None:
        raise UsageError(f"{name} needs a scale", hint=f"write {name}:scale=2")
    if isinstance(scale, bool | str) or scale != int(scale) or not 1 <= scale <= 16:
        raise UsageError(f"{name}: expected a whole scale from 1 to 16, got {scale!r}")
    return int(scale)
