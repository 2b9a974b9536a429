"""Training-free methods behind the face of a restorer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.errors import ImageError, UsageError
from restore.files.psf import read_psf
from restore.names import Value, format_name
from restore.restorers.base import Read, Restorer
from restore.restorers.method import Method
from restore.restorers.methods import METHODS_TABLE, PSF
from restore.restorers.noise import damp_clean, look_for_noise
from restore.restorers.spec import RestorerSpec
from restore.restorers.values import check_values
from restore.runtime import free_memory
from restore.tiling import is_out_of_memory
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
            mask=method.mask,
        )
        label = format_name(name, values)
        parts = f"{label} {__version__}"
        if "psf" in values:  # the file's contents count, not its name alone
            self.values["psf"] = read_psf(Path(str(values["psf"])))
            parts += str(self.values["psf"].tolist())
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:16]
        side = _WHOLE if method.whole else tile
        super().__init__(label, spec, fingerprint=fingerprint, device=device, tile=side)

    def look(self, read: Read, height: int, width: int) -> Tensor | None:
        """The noise level (B values in units of [0, 1]) where the method needs one and none is given.

        Raises:
            ImageError: a picture that the method must see whole, and that does not fit into memory.
        """
        if self.method.whole:
            self._check_memory(height, width)
        return damp_clean(look_for_noise(read, height, width, device=self.device)) if self.blind else None

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        try:
            if self.spec.mask:
                return self.method.function(x[:, :-1], x[:, -1:], **self.values)
            return self.method.function(x, **self.values, **({} if seen is None else {"sigma": seen}))
        except (RuntimeError, MemoryError) as error:
            # Halves of such a picture would each be restored by what is known of a half.
            if self.method.whole and is_out_of_memory(error):
                raise self._too_large(*x.shape[-2:]) from error
            raise

    def _check_memory(self, height: int, width: int) -> None:
        """Refuses a picture that would end in the system killing the process."""
        free = free_memory(self.device)
        if free is not None and height * width * self.method.bytes_per_pixel > free:
            raise self._too_large(height, width, f", and {free / 1e9:.1f} GB are free")

    def _too_large(self, height: int, width: int, free: str = "") -> ImageError:
        needed = height * width * self.method.bytes_per_pixel / 1e9
        return ImageError(
            f"{self.name} must see a picture whole: {width} x {height} pixels take about {needed:.1f} GB{free}",
            hint="reduce the picture, or take a method that works in windows (denoise, bm3d, nlm, tv)",
        )


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
    kinds = [key for key in PSF if values.get(key)]
    if "psf" in method.options and (not kinds or ("psf" in kinds and len(kinds) > 1)):
        raise UsageError(
            f"{name} needs one point spread function, got {' and '.join(kinds) or 'none'}",
            hint=f"write {name}:blur=1.6, {name}:disc=3 or {name}:psf=FILE, or give what is known (--operator)",
        )
    return ClassicalRestorer(name, method, device=device, tile=tile, values=values)


def _whole_scale(name: str, values: dict[str, Value]) -> int:
    scale = values.get("scale")
    if scale is None:
        raise UsageError(f"{name} needs a scale", hint=f"write {name}:scale=2")
    if isinstance(scale, bool | str) or scale != int(scale) or not 1 <= scale <= 16:
        raise UsageError(f"{name}: expected a whole scale from 1 to 16, got {scale!r}")
    return int(scale)
