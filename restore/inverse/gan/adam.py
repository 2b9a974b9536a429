"""Adam on a table of batched variables, where pictures can leave the batch one by one.

Kingma & Ba 2015. Every operation acts on each picture alone; ``torch.optim`` would keep state for all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

Variables = dict[str, Tensor]


class BatchedAdam:
    """Adam of ``variables`` (batch first), updated in place.

    Args:
        rates: learning rate of each variable; those without one are not moved.
    """

    def __init__(
        self,
        variables: Variables,
        rates: dict[str, float],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.variables, self.rates, self.betas, self.eps = variables, rates, betas, eps
        self.first = {k: torch.zeros_like(variables[k]) for k in rates}
        self.second = {k: torch.zeros_like(variables[k]) for k in rates}
        self.count = 0

    @torch.no_grad()
    def step(self, gradients: dict[str, Tensor], factors: dict[str, float]) -> None:
        """One update; a variable's factor multiplies its rate."""
        self.count += 1
        a, b = self.betas
        for key, gradient in gradients.items():
            self.first[key].lerp_(gradient, 1 - a)
            self.second[key].mul_(b).addcmul_(gradient, gradient, value=1 - b)
            size = self.rates[key] * factors[key] / (1 - a**self.count)
            spread = (self.second[key] / (1 - b**self.count)).sqrt_().add_(self.eps)
            self.variables[key].addcdiv_(self.first[key], spread, value=-size)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these pictures only."""
        for table in (self.variables, self.first, self.second):
            for key in table:
                table[key] = table[key][rows].clone()
