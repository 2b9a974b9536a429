"""Networks as restorers: shipped ones and anybody's weight files."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.engines import Choice
from restore.models.registry import SHIPPED, ZOO
from restore.models.spec import ModelSpec
from restore.names import Value, format_name
from restore.restorers.base import Restorer
from restore.restorers.computed import Computed
from restore.restorers.local_mean import CELL, LIGHT_RULES, REACH, keep_local_mean
from restore.restorers.noise import damp_clean, look_for_noise, shipped_estimator
from restore.restorers.spec import RestorerSpec
from restore.restorers.turns import mean_of_turns
from restore.tiling import Read, window_side


class LearnedRestorer(Restorer):
    """A network that takes a picture and, where its header says so, the picture's noise level.

    ``sigma`` (in units of 255) is estimated from the picture where it is not given. ``turns`` (1, 2, 4 or 8) is how
    many positions of the picture are restored and averaged, see :func:`restore.restorers.turns.mean_of_turns`.

    Attributes:
        by_engines: whether engines other than torch compute it; they hand over a picture and numbers, nothing else.
    """

    by_engines = True

    def __init__(
        self,
        name: str,
        net: nn.Module,
        about: ModelSpec,
        *,
        sha256: str,
        description: str,
        header: dict[str, Any],
        device: torch.device,
        choice: Choice,
        tile: int | None,
        values: dict[str, Value],
    ) -> None:
        precision = choice.precision
        self.header, self.placed, self.grid = header, about.placed, about.multiple
        self.choice = choice
        self.light = LIGHT_RULES.get(about.task)
        keeps = self.light is not None
        spec = RestorerSpec(
            task=about.task,
            kind="learned",
            description=description,
            scale=about.scale,
            engine=choice.engine,
            radius=about.radius + (REACH if keeps else 0),
            multiple=math.lcm(about.multiple, CELL) if keeps else about.multiple,
            takes=about.conditions,
            precision=precision,
            mask=about.mask,
            keeps_light=keeps,
        )
        self.sigma = float(values["sigma"]) / 255 if "sigma" in values else None
        self.turns = int(values.get("turns", 1))
        self.blind = "sigma" in spec.takes and self.sigma is None
        parts = [sha256, sorted(values.items()), precision, self.light]
        if choice.engine != "torch":
            parts.append(choice.engine)
        if self.blind:
            parts.append(shipped_estimator(device)[1])
        fingerprint = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
        super().__init__(
            format_name(name, values),
            spec,
            fingerprint=fingerprint,
            device=device,
            tile=window_side(about.tiling, tile or about.window or None),
        )
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self._compute = Computed(
            self.net,
            choice,
            device,
            conditions=len(spec.takes),
            scale=spec.scale,
            check=not hasattr(net, "residual"),  # nobody made it for engines
        )
        self.sha256 = sha256
        self.shipped = name in SHIPPED

    @property
    def identity(self) -> str:
        """The SHA-256 of the weights: intervals belong to them, whatever values are given."""
        return self.sha256

    @property
    def calibration_file(self) -> Path | None:
        """``intervals.json`` beside the card; a restorer that turns pictures errs less, and has its own."""
        own = f"intervals-turns{self.turns}.json" if self.turns > 1 else "intervals.json"
        name = self.name.partition(":")[0]
        folder = ZOO / name if self.shipped else Path(name).parent
        return folder / own

    def look(self, read: Read, height: int, width: int) -> Tensor | None:
        """``B x 1``: sigma in units of [0, 1] as given or as estimated; None for a network that is told nothing."""
        if self.blind:
            return damp_clean(
                look_for_noise(read, height, width, device=self.device, precision=self.spec.precision)
            )[:, None]
        if self.sigma is None:
            return None
        return torch.full((read(0, 1, 0, 1).shape[0], 1), self.sigma, device=self.device)

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        if seen is not None and not bool((told := seen.view(len(x), -1).amax(1) > 0).all()):
            # Where there is no noise it is the picture itself, bit for bit, and costs nothing.
            kept = x.clone()
            if bool(told.any()):
                kept[told] = self.restore_window(x[told], seen[told], exact=exact).to(kept.dtype)
            return kept
        y = self.answer(x, seen, exact=exact)
        if self.light is None:
            return y
        sigma = seen.view(-1) if "sigma" in self.spec.takes and torch.is_tensor(seen) else None
        return keep_local_mean(y, x, self.light, scale=self.spec.scale, sigma=sigma)

    def answer(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        """What the network alone makes of a window."""
        rgb = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

        def network(turned: Tensor) -> Tensor:
            return self._compute(turned, seen, exact=exact)

        y = mean_of_turns(network, rgb, count=self.turns, multiple=self.grid, scale=self.spec.scale)
        return y if x.shape[1] == 3 else y.mean(1, keepdim=True)
