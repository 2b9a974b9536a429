"""Losses between a restored batch and its target, and the one table of their names."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from restore.errors import UsageError, did_you_mean
from restore.losses.pixel import charbonnier, l1, l2, psnr_loss
from restore.losses.structure import gradient, spectrum

Loss = Callable[[Tensor, Tensor], Tensor]

TABLE: dict[str, Loss] = {
    "l1": l1,
    "l2": l2,
    "charbonnier": charbonnier,
    "psnr": psnr_loss,
    "gradient": gradient,
    "spectrum": spectrum,
}


def loss_named(text: str) -> Loss:
    """``"l1"``, or a weighted sum ``"charbonnier + 0.05*spectrum"``, as a function of a batch and its target.

    Raises:
        UsageError: an unknown name, or a weight that is no number above 0.
    """
    parts: list[tuple[float, Loss]] = []
    for term in text.split("+"):
        weight, star, name = term.strip().rpartition("*")
        if name.strip() not in TABLE:
            raise UsageError(f"unknown loss {name.strip()!r}", hint=did_you_mean(name.strip(), TABLE))
        try:
            factor = float(weight) if star else 1.0
        except ValueError:
            factor = 0.0
        if not factor > 0:
            raise UsageError(f"expected a weight above 0 before {name!r}, got {weight!r}")
        parts.append((factor, TABLE[name.strip()]))
    if parts[0][0] == 1.0 and len(parts) == 1:
        return parts[0][1]

    def total(x: Tensor, target: Tensor) -> Tensor:
        first, *rest = (factor * loss(x, target) for factor, loss in parts)
        for term in rest:
            first = first + term
        return first

    return total
