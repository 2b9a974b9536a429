"""Randomness of a batch whose every picture has its own stream, so that its result does not depend on the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from restore.degradations import sample as draw


class Draws:
    """A CPU generator per picture; what is drawn goes to ``device`` as float32."""

    def __init__(self, seeds: Sequence[int], *path: str | int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.generators = [draw.generator(draw.child_seed(s, *path)) for s in seeds]

    def __len__(self) -> int:
        return len(self.generators)

    def normal(self, *shape: int) -> Tensor:
        """``B x shape`` of N(0, 1)."""
        return torch.stack([torch.randn(shape, generator=g) for g in self.generators]).to(self.device)

    def uniform(self, *shape: int) -> Tensor:
        """``B x shape`` of U(-1, 1)."""
        return torch.stack([torch.rand(shape, generator=g) * 2 - 1 for g in self.generators]).to(self.device)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these pictures only."""
        self.generators = [self.generators[i] for i in rows.tolist()]
