"""A network where it computes: by an engine where only the answer is wanted, by torch itself where more is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from restore.engines import Choice, Engine, build_engine
from restore.runtime import autocast


class Computed:
    """``compute(x, seen)``; the engine is built when it is first needed.

    Args:
        channels, conditions, scale, check: of the network; see :func:`restore.engines.build_engine`.
    """

    def __init__(
        self,
        net: nn.Module,
        choice: Choice,
        device: torch.device,
        *,
        channels: int = 3,
        conditions: int = 0,
        scale: int = 1,
        check: bool = False,
    ) -> None:
        self.net, self.choice, self.device = net, choice, device
        self._about: dict[str, Any] = {
            "channels": channels,
            "conditions": conditions,
            "scale": scale,
            "check": check,
        }
        self._engine: Engine | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the engine, which no file or other process could use; it is built again when it is needed."""
        return {**self.__dict__, "_engine": None}

    def __call__(self, x: Tensor, seen: Tensor | None = None, *, exact: bool = False) -> Tensor:
        """``B x C x H x W``; torch computes what must be exact (float32), has a gradient, or was moved elsewhere."""
        if exact or torch.is_grad_enabled() or x.device.type != self.device.type:
            with autocast(x.device, "fp32" if exact else self.choice.precision):
                return self.net(x) if seen is None else self.net(x, seen)
        if self._engine is None:
            self._engine = build_engine(self.net, self.choice, device=self.device, **self._about)
        return self._engine(x, seen)
