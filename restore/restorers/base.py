"""The contract of a restorer: one face for networks, classical methods and anybody's weights."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore.diagnosis.findings import Diagnosis
from restore.errors import UsageError, WeightsError
from restore.image import array_to_tensor, as_batch, largest_integer, tensor_to_array
from restore.restorers.interval import (
    Calibration,
    bounds,
    read_calibration,
    restore_with_spread,
    usual_error,
)
from restore.restorers.mask import with_mask
from restore.restorers.module import RestorerModule
from restore.restorers.spec import RestorerSpec
from restore.tiling import WHOLE, Read, run_tiled
from restore.version import __version__

TILE = 1024


class Restorer(ABC):
    """A picture in, a restored picture of the same kind out.

    Subclasses say how a window is restored (:meth:`restore_window`) and, where something is to be known of the
    whole picture first, how to find it (:meth:`look`).

    Attributes:
        name: as it can be given to :func:`restore.restorers.load` again.
        spec: see :class:`RestorerSpec`.
        fingerprint: changes when the weights or values change.
        diagnostics: what the last picture's restoration says of itself, JSON-able; empty for most.
        memory: held at the peak, in units of the picture as 8-bit RGB; 0: no more than the tile and the result.
    """

    memory = 0.0

    def __init__(
        self,
        name: str,
        spec: RestorerSpec,
        *,
        fingerprint: str,
        device: torch.device | None = None,
        tile: int | None = None,
    ) -> None:
        self.name, self.spec, self.fingerprint = name, spec, fingerprint
        self.device = device or torch.device("cpu")
        self.tile = tile or TILE
        self.diagnostics: dict[str, Any] = {}

    def of(self, file: str) -> Restorer:
        """The restorer for the picture of a folder whose path is ``file``: the same, unless pictures differ in what is
        known of them."""
        return self

    def key(self, file: str) -> str:
        """Changes when what is known of that picture changes."""
        return ""

    def look(self, read: Read, height: int, width: int) -> Any:
        """What must be known of the whole picture before its windows are restored; None where nothing is."""
        return None

    def beside(self, read: Read, seen: Any, height: int, width: int) -> Read:
        """``read`` with what a window must be told of its own place (a mask, where it lies) as further channels; as it
        is for most."""
        return read

    @abstractmethod
    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        """Restores ``B x C x h x w`` on ``self.device``; ``exact`` asks for float32."""

    def restore_whole(self, x: Tensor, *, exact: bool = False) -> Tensor:
        """``B x C x H x W`` at once, without tiles. Gradients pass to ``x``; what is seen of it is a constant."""
        height, width = x.shape[-2:]

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            return x[:, :, top:bottom, left:right]

        with torch.no_grad():
            seen = self.look(lambda *place: read(*place).detach(), height, width)
        return self.restore_window(
            self.beside(read, seen, height, width)(0, height, 0, width), seen, exact=exact
        )

    def diagnose(
        self, pixels: np.ndarray, *, tables: tuple[tuple[int, ...], ...] | None = None
    ) -> Diagnosis | None:
        """What is wrong with ``pixels`` (``H x W x C``) and what would be done; None for who does not ask.

        Args:
            tables: the quantisation tables of a JPEG file the pixels come from.
        """
        return None

    @torch.no_grad()
    def __call__(self, image: Any, *, mask: Any = None) -> Any:
        """Restores a tensor ``B x C x H x W`` or ``C x H x W`` in [0, 1], an array, or a PIL image; same kind back.

        Floating results are not clamped; integers are clamped and rounded.

        Args:
            mask: which pixels are missing, for restorers that fill (see :mod:`restore.restorers.mask`).

        Raises:
            ImageError: not an image (see :mod:`restore.image`), or NaN in it, or a mask of another size.
            UsageError: a mask that is missing, or that nobody asked for.
        """
        x, back = as_batch(image)
        b, c, h, w = x.shape
        s = self.spec.scale
        out = torch.empty((b, c, h * s, w * s), dtype=torch.float32, device=x.device)

        def write(top: int, left: int, y: Tensor) -> None:
            out[:, :, top : top + y.shape[2], left : left + y.shape[3]] = y

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            return x[:, :, top:bottom, left:right].float().to(self.device)

        self._run(self._reader(read, mask, h, w), write, h, w, None)
        return back(out.to(x.dtype))

    @torch.inference_mode()
    def restore_pixels(
        self,
        pixels: np.ndarray,
        *,
        progress: Callable[[float], None] | None = None,
        diagnosis: Diagnosis | None = None,
        mask: Any = None,
    ) -> np.ndarray:
        """Restores ``H x W x C`` (uint8, uint16 or float32) into a new array of the same dtype.

        Memory beyond the two arrays is bounded by the tile: only windows are ever converted to float.

        Args:
            progress: called with the share of the picture that is done.
            diagnosis: what :meth:`diagnose` said of these pixels, so that nobody looks twice.

        Raises:
            ImageError: another shape or dtype, or a value that is not finite.
        """
        h, w, c = pixels.shape
        s = self.spec.scale
        out = np.empty((h * s, w * s, c), dtype=pixels.dtype)

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            return array_to_tensor(pixels[top:bottom, left:right]).to(self.device)

        def write(top: int, left: int, y: Tensor) -> None:
            out[top : top + y.shape[2], left : left + y.shape[3]] = tensor_to_array(y, pixels.dtype)

        self._run(self._reader(read, mask, h, w), write, h, w, progress)
        return out

    @torch.inference_mode()
    def restore_by_windows(
        self,
        read: Callable[[int, int, int, int], np.ndarray],
        write: Callable[[int, int, np.ndarray], None],
        *,
        height: int,
        width: int,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """:meth:`restore_pixels` of a picture that is nowhere whole in memory.

        Args:
            read: ``read(top, bottom, left, right)`` gives that part, ``h x w x C``.
            write: ``write(top, left, part)`` takes a finished part, of the dtype that was read; row by row of windows.

        Raises:
            UsageError: a restorer that has to hold the whole picture.
        """
        own = type(self).restore_pixels is not Restorer.restore_pixels
        if own or self.memory or self.tile >= WHOLE or self.spec.mask or self.spec.scale != 1:
            raise UsageError(
                f"{self.name} has to hold the whole picture, which is too large for that",
                hint="name a restorer that works in tiles and keeps the size: -m denoise, dejpeg, median, nlm",
            )
        dtype = read(0, 1, 0, 1).dtype
        self._run(
            lambda *place: array_to_tensor(read(*place)).to(self.device),
            lambda top, left, y: write(top, left, tensor_to_array(y, dtype)),
            height,
            width,
            progress,
        )

    @property
    def identity(self) -> str:
        """What a calibration is bound to: the weights, whatever values are given; of a method its name and version."""
        return hashlib.sha256(f"{self.name.partition(':')[0]} {__version__}".encode()).hexdigest()

    @property
    def calibration_file(self) -> Path | None:
        """Where the calibrated intervals that come with it lie; None: nowhere."""
        return None

    def interval(
        self,
        image: Any,
        *,
        level: float = 0.9,
        degradation: str | None = None,
        calibration: str | Path | None = None,
    ) -> tuple[Any, Any]:
        """Lower and upper bounds of every value of ``self(image)``, of the kind of ``image``.

        Integer kinds are rounded outwards. Costs four restorations. See :mod:`restore.restorers.interval` for what is
        promised: on average over pictures a share ``level`` of the true values lies between.

        Args:
            image: as for a call.
            level: one of those calibrated (0.8, 0.9, 0.95).
            degradation: what was done to the picture, one of those calibrated; None: not known.
            calibration: a table of your own (``python -m restore.bench.tables.coverage --table``) for restorers
                that come without one.

        Raises:
            WeightsError: no calibration, or one of other weights.
            UsageError: a level or degradation that was not calibrated, or a restorer that changes the size.
        """
        x, back = as_batch(image)
        table = self.calibration(calibration)
        y, width = self.with_half_width(x.float(), table)
        ends = bounds(y, table.scale(level, degradation) * width, top=largest_integer(image))
        lower, upper = (back(end.to(x.dtype)) for end in ends)
        return lower, upper

    def calibration(self, path: str | Path | None = None) -> Calibration:
        """The calibration that comes with this restorer, or the one in ``path``, checked against its weights.

        Raises:
            WeightsError: missing, damaged, or of other weights.
            UsageError: a restorer that changes the size has none.
        """
        if self.spec.scale != 1:
            raise UsageError(f"{self.name} changes the size; intervals are for restorers that keep it")
        where = self.calibration_file if path is None else Path(path)
        if where is None:
            raise WeightsError(
                f"{self.name} comes without calibrated intervals",
                hint="python -m restore.bench.tables.coverage makes a table; give it as calibration=",
            )
        return read_calibration(where, identity=self.identity, restorer=self.name)

    def with_half_width(self, x: Tensor, table: Calibration) -> tuple[Tensor, Tensor]:
        """The restored batch (clamped) and its uncalibrated half-widths ``B x 1 x H x W``."""
        y, spread = restore_with_spread(self, x)
        return y, usual_error(x, y, spread, table.coefficients)

    def as_module(self) -> nn.Module:
        """The restorer as a module for ``nn.Sequential``: tensors only, whole, gradients pass to the input."""
        return RestorerModule(self)

    def _reader(self, read: Read, mask: Any, height: int, width: int) -> Read:
        return with_mask(read, mask, takes=self.spec.mask, name=self.name, height=height, width=width)

    def _run(
        self,
        read: Read,
        write: Callable[[int, int, Tensor], None],
        height: int,
        width: int,
        progress: Callable[[float], None] | None,
    ) -> None:
        seen = self.look(read, height, width)
        run_tiled(
            lambda x: self.restore_window(x, seen),
            self.beside(read, seen, height, width),
            write,
            height=height,
            width=width,
            scale=self.spec.scale,
            radius=self.spec.radius,
            multiple=self.spec.multiple,
            tile=self.tile,
            exact=lambda x: self.restore_window(x, seen, exact=True),
            progress=progress,
        )
