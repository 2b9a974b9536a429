"""The contract of a restorer: one face for networks, classical methods and anybody's weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore.image import array_to_tensor, as_batch, tensor_to_array
from restore.tiling import run_tiled

Read = Callable[[int, int, int, int], Tensor]
TILE = 1024


@dataclass(frozen=True)
class RestorerSpec:
    """What a caller must know of a restorer.

    Args:
        task: ``denoise``, ``upscale``, ...
        kind: ``learned`` or ``classical``.
        scale: output pixels per input pixel along one side.
        engine: what computes it, one of :data:`restore.engines.ENGINES`.
        radius: how far, in input pixels, a pixel's result depends on its neighbours.
        multiple: grid of the tiles.
        takes: names of the values that may be given (``sigma``).
        description: one sentence.
        precision: the arithmetic in use.
    """

    task: str
    kind: str
    description: str
    scale: int = 1
    engine: str = "torch"
    radius: int = 0
    multiple: int = 1
    takes: tuple[str, ...] = ()
    precision: str = "fp32"


class Restorer(ABC):
    """A picture in, a restored picture of the same kind out.

    Subclasses say how a window is restored (:meth:`restore_window`) and, where something is to be known of the
    whole picture first, how to find it (:meth:`look`).

    Attributes:
        name: as it can be given to :func:`restore.restorers.load` again.
        spec: see :class:`RestorerSpec`.
        fingerprint: changes when the weights or values change.
    """

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

    def look(self, read: Read, height: int, width: int) -> Any:
        """What must be known of the whole picture before its windows are restored; None where nothing is."""
        return None

    @abstractmethod
    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        """Restores ``B x C x h x w`` on ``self.device``; ``exact`` asks for float32."""

    @torch.no_grad()
    def __call__(self, image: Any) -> Any:
        """Restores a tensor ``B x C x H x W`` or ``C x H x W`` in [0, 1], an array, or a PIL image; same kind back.

        Floating results are not clamped; integers are clamped and rounded.

        Raises:
            ImageError: not an image (see :mod:`restore.image`), or NaN in it.
        """
        x, back = as_batch(image)
        b, c, h, w = x.shape
        s = self.spec.scale
        out = torch.empty((b, c, h * s, w * s), dtype=torch.float32, device=x.device)

        def write(top: int, left: int, y: Tensor) -> None:
            out[:, :, top : top + y.shape[2], left : left + y.shape[3]] = y

        self._run(lambda t, bo, le, r: x[:, :, t:bo, le:r].float().to(self.device), write, h, w, None)
        return back(out.to(x.dtype))

    @torch.inference_mode()
    def restore_pixels(
        self, pixels: np.ndarray, *, progress: Callable[[float], None] | None = None
    ) -> np.ndarray:
        """Restores ``H x W x C`` (uint8, uint16 or float32) into a new array of the same dtype.

        Memory beyond the two arrays is bounded by the tile: only windows are ever converted to float.

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

        self._run(read, write, h, w, progress)
        return out

    def as_module(self) -> nn.Module:
        """The restorer as a module for ``nn.Sequential``: tensors only, whole, gradients pass to the input."""
        return RestorerModule(self)

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
            read,
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


class RestorerModule(nn.Module):
    """A restorer in front of a classifier: ``nn.Sequential(restorer.as_module(), classifier)``.

    The weights are frozen; what is looked up in the whole picture (a noise level) is a constant for the gradient.
    """

    def __init__(self, restorer: Restorer) -> None:
        super().__init__()
        self.restorer = restorer
        net = getattr(restorer, "net", None)
        if isinstance(net, nn.Module):
            self.net = net  # registered, so that .to(device) and state_dict see it

    def forward(self, x: Tensor) -> Tensor:
        restorer = self.restorer
        restorer.device = x.device
        with torch.no_grad():
            seen = restorer.look(lambda t, b, le, r: x[:, :, t:b, le:r].detach(), x.shape[-2], x.shape[-1])
        return restorer.restore_window(x, seen)
