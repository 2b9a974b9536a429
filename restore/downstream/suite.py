"""The corruption suite: named degradations at severities, each picture with a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.degradations import Params, degradation
from restore.degradations import sample as draw
from restore.degradations.imagenet_c import SUBSETS, corruptions
from restore.errors import UsageError
from restore.image import quantise
from restore.names import format_name, parse_name

CLEAN = "clean"
SMOKE = ("gaussian_noise", "gaussian_blur", "contrast")


@dataclass(frozen=True)
class Cell:
    """One degradation at one severity, and how often the deployment meets it (its weight)."""

    corruption: str
    severity: float | None
    weight: float = 1.0

    @property
    def key(self) -> str:
        """As it is written in results and file names: ``gaussian_noise-3``."""
        return self.corruption if self.severity is None else f"{self.corruption}-{self.severity:g}"

    @property
    def is_clean(self) -> bool:
        """Nothing is done to the picture."""
        return self.corruption == CLEAN


CLEAN_CELL = Cell(CLEAN, None, 0.0)


def suite(names: Sequence[str], severities: Sequence[float]) -> list[Cell]:
    """The cells of ``names`` x ``severities``, weights equal and summing to 1.

    Args:
        names: ``all``, ``common`` or ``validation`` (of the 19 corruptions of ImageNet-C), ``smoke``, or any
            degradations; one that fixes its strength itself (``noise:sigma=25``, ``jpeg:severity=2``) is one cell.
        severities: 1 to 5.

    Raises:
        UsageError: an unknown name, a severity out of range, nothing at all, or a degradation that changes the size.
    """
    found: dict[str, Cell] = {}
    for name in names:
        listed = corruptions(name) if name in SUBSETS else list(SMOKE) if name == "smoke" else [name]
        for one in listed:
            wanted = degradation(one)
            if not wanted.keeps_size:
                raise UsageError(f"{one} changes the size of a picture, which a classifier's suite cannot")
            fixes = "severity" in parse_name(one)[1] or any(
                k.levels is not None and key in parse_name(one)[1]
                for key, k in getattr(wanted, "knobs", {}).items()
            )
            for severity in [None] if fixes else list(severities):
                if severity is not None and not 0 < severity <= 5:
                    raise UsageError(f"expected severities above 0 up to 5, got {severity:g}")
                cell = Cell(wanted.label, severity)
                found[cell.key] = cell
    if not found:
        raise UsageError("expected at least one corruption", hint="-d common --severities 1,3,5")
    return [Cell(c.corruption, c.severity, 1 / len(found)) for c in found.values()]


def degrade(cell: Cell, x: Tensor, ids: Sequence[str], *, seed: int, dataset: str) -> Tensor:
    """``B x C x H x W`` in [0, 1] degraded, clipped and rounded to 8 bits, as a file holds it.

    A picture's draw is a hash of (seed, dataset, id, corruption, severity), so that neither the batch nor the order
    matters.
    """
    if cell.is_clean:
        return x
    name, values = parse_name(cell.corruption)
    if cell.severity is not None:
        values["severity"] = cell.severity
    wanted = degradation(format_name(name, values))
    drawn = [
        wanted.sample(
            (1, *x.shape[1:]), generator=draw.generator(draw.child_seed(seed, dataset, picture, cell.key))
        )
        for picture in ids
    ]
    return quantise(wanted.apply(x, _joined(drawn)))


def _joined(drawn: Sequence[Params]) -> Params:
    """One record of a batch from records of single pictures."""
    first = drawn[0]
    values = {
        key: torch.cat([p.values[key] for p in drawn])
        if isinstance(value, Tensor)
        else [v for p in drawn for v in p.values[key]]
        for key, value in first.values.items()
    }
    steps = tuple(_joined([p.steps[i] for p in drawn]) for i in range(len(first.steps)))
    return Params(
        first.name,
        torch.cat([p.seeds for p in drawn]),
        torch.cat([p.strength for p in drawn]),
        values,
        steps,
    )
