"""A diagnosis in words and numbers: what is wrong with a picture and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a picture.

    Args:
        name: the family: ``noise``, ``jpeg``, ``blur``, ...
        severity: from 0 (not there) to 5, as of the simulator's.
        confidence: that it is there at all, 0 to 1.
        value: a measured size of it, in ``unit`` (``sigma`` in units of 255, ``quality`` of a JPEG); None: none.
        kind: within the family, where it matters: noise is ``correlated`` where neighbours share it.
    """

    name: str
    severity: float
    confidence: float
    value: float | None = None
    unit: str = ""
    kind: str = ""

    def __str__(self) -> str:
        size = f" {self.unit} about {self.value:.3g}," if self.value is not None else ""
        name = f"{self.kind} {self.name}" if self.kind else self.name
        return f"{name}:{size} severity {self.severity:.1f} ({self.confidence:.0%})"

    def to_json(self) -> dict[str, Any]:
        """JSON-able, rounded to what it is good for."""
        value = None if self.value is None else round(self.value, 2)
        plain = {
            "name": self.name,
            "severity": round(self.severity, 2),
            "confidence": round(self.confidence, 3),
        }
        kind = {"kind": self.kind} if self.kind else {}
        return {**plain, **kind} if value is None else {**plain, **kind, "value": value, "unit": self.unit}


@dataclass
class Diagnosis:
    """What was found in a picture, the restorers chosen, in order, and what is left alone with the reason."""

    findings: list[Finding]
    actions: list[str]
    left: list[str] = field(default_factory=list)

    def take_back(self, action: str, reason: str) -> None:
        """Notes that an action did not help and was undone, or was not needed."""
        self.actions.remove(action)
        self.left.append(f"{action}: taken back, {reason}")

    def __str__(self) -> str:
        found = "; ".join(map(str, self.findings)) or "nothing wrong"
        done = ", then ".join(self.actions) or "left as it is"
        return f"{found} -> {done}" + "".join(f" ({reason})" for reason in self.left)

    def to_json(self) -> dict[str, Any]:
        """``{"findings", "actions", "left"}``."""
        return {
            "findings": [f.to_json() for f in self.findings],
            "actions": list(self.actions),
            "left": list(self.left),
        }
