"""Training-free methods behind the face of a restorer: the one table of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from restore.classical.denoise import nlm
from restore.classical.upscale import METHODS, upscale
from restore.errors import UsageError
from restore.names import Value, format_name
from restore.restorers.base import Read, Restorer, RestorerSpec
from restore.restorers.learned import check_values
from restore.restorers.noise import damp_clean, look_for_noise
from restore.version import __version__


@dataclass(frozen=True)
class Method:
    """A row of the table: ``function(x, **values)`` on ``B x C x H x W``."""

    function: Callable[..., Tensor]
    task: str
    description: str
    radius: int = 0
    takes: tuple[str, ...] = ()


def _identity(x: Tensor) -> Tensor:
    return x.clone()


def _interpolation(method: str) -> Method:
    # bits=8: files hold 8 bits, and published bicubic scores round after each axis as MATLAB does.
    return Method(
        lambda x, scale, bits=8: upscale(x, scale, method, bits=int(bits)),
        "upscale",
        f"{method} interpolation (MATLAB's, where it has one)",
        radius=8,
        takes=("scale", "bits"),
    )


METHODS_TABLE: dict[str, Method] = {
    "identity": Method(_identity, "none", "the picture as it is: the row every other one must beat"),
    "nlm": Method(
        lambda x, sigma: nlm(x, sigma=sigma),
        "denoise",
        "non-local means (scikit-image)",
        radius=16,
        takes=("sigma",),
    ),
    **{name: _interpolation(name) for name in METHODS},
}


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
            takes=method.takes,
        )
        label = format_name(name, values)
        fingerprint = hashlib.sha256(f"{label} {__version__}".encode()).hexdigest()[:16]
        super().__init__(label, spec, fingerprint=fingerprint, device=device, tile=tile)

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
    return ClassicalRestorer(name, method, device=device, tile=tile, values=values)


def _whole_scale(name: str, values: dict[str, Value]) -> int:
    scale = values.get("scale")
    if scale is None:
        raise UsageError(f"{name} needs a scale", hint=f"write {name}:scale=2")
    if isinstance(scale, bool | str) or scale != int(scale) or not 1 <= scale <= 16:
        raise UsageError(f"{name}: expected a whole scale from 1 to 16, got {scale!r}")
    return int(scale)
