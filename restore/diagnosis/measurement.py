"""One measured quantity of a picture: its value, an interval around it, and its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """A quantity measured on one picture.

    Args:
        name: what was measured, in the field's words (``noise level``, ``JPEG quality``, ``blur width``).
        value: the best estimate, in ``unit``.
        lower: lower end of the interval that holds the true value in about 90 % of pictures.
        upper: upper end of it.
        unit: the unit of all three (``of 255``, ``px``, ``quality``, ``share``).
    """

    name: str
    value: float
    lower: float
    upper: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name} {self.value:.3g} [{self.lower:.3g}, {self.upper:.3g}] {self.unit}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """JSON-able; four significant digits."""
        numbers = {key: float(f"{getattr(self, key):.4g}") for key in ("value", "lower", "upper")}
        return {"name": self.name, **numbers, "unit": self.unit}
