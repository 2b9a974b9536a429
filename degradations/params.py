"""What was drawn of a degradation: per sample, to JSON and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restore.errors import RestoreError

SCHEMA = 1
# No parameter of anything is this large.
_MOST = 1e12


@dataclass(frozen=True)
class Params:
    """What was drawn for a batch: enough to apply it again.

    ``values`` holds per knob a float64 tensor of B values or a list of B names; ``seeds`` B integers from
    which fields are made again; ``strength`` B blends in [0, 1] (0: identity). A pipeline has ``steps``
    instead of values; what was drawn by a combinator (``combine``) differs in kind between samples, and its one
    value ``steps`` holds per sample the records of the elementary degradations in order.
    """

    name: str
    seeds: Tensor
    strength: Tensor
    values: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Params, ...] = ()

    def __len__(self) -> int:
        return len(self.seeds)

    def select(self, index: slice) -> Params:
        """The parameters of some of the samples."""
        values = {k: v[index] for k, v in self.values.items()}
        steps = tuple(s.select(index) for s in self.steps)
        return Params(self.name, self.seeds[index], self.strength[index], values, steps)

    def to_json(self) -> list[dict[str, Any]]:
        """One JSON-able record per sample."""
        return [self._record(i) for i in range(len(self))]

    def _record(self, i: int) -> dict[str, Any]:
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.name,
            "seed": int(self.seeds[i]),
            "strength": float(self.strength[i]),
        }
        if self.steps:
            record["steps"] = [s._record(i) for s in self.steps]
        else:
            record["values"] = {
                k: v[i] if isinstance(v, list) else float(v[i]) for k, v in self.values.items()
            }
        return record

    @staticmethod
    def from_json(records: list[dict[str, Any]]) -> Params:
        """The inverse of :meth:`to_json`.

        Raises:
            RestoreError: records that are empty, differ in kind, or come from another schema.
        """
        try:
            _check_kinds(records)
            names = {r["name"] for r in records}
            if len(names) != 1 or any(r["schema"] != SCHEMA for r in records):
                raise RestoreError(
                    f"expected records of one degradation and schema {SCHEMA}, got {sorted(names)} "
                    f"and schema {sorted({r['schema'] for r in records})}"
                )
            values: dict[str, Any] = {}
            for key, first in records[0].get("values", {}).items():
                column = [r["values"][key] for r in records]
                values[key] = (
                    column if isinstance(first, str | list) else torch.tensor(column, dtype=torch.float64)
                )
            steps = [r.get("steps", []) for r in records]
            return Params(
                names.pop(),
                torch.tensor([r["seed"] for r in records], dtype=torch.int64),
                torch.tensor([r["strength"] for r in records], dtype=torch.float64),
                values,
                tuple(
                    Params.from_json([dict(s, schema=SCHEMA) for s in column])
                    for column in zip(*steps, strict=True)
                ),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, AttributeError) as error:
            raise RestoreError(
                f"not a record of a degradation: {str(error)[:200]}",
                hint="use a params.jsonl as it was written",
            ) from error


def _check_kinds(records: Any) -> None:
    """Raises ValueError for values of another kind than :meth:`Params.to_json` writes."""
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise ValueError("expected a list of tables")
    for r in records:
        if not isinstance(r["name"], str) or type(r["seed"]) is not int or not -(2**63) <= r["seed"] < 2**63:
            raise ValueError("expected a name and a whole number as seed")
        if not _is_number(r["strength"]) or not 0 <= r["strength"] <= 1:
            raise ValueError(f"expected a strength from 0 to 1, got {str(r['strength'])[:40]}")
        values = r.get("values", {})
        if not isinstance(values, dict) or not isinstance(r.get("steps", []), list):
            raise ValueError("expected tables of values, or a list of steps")
        for key, value in values.items():
            if not isinstance(value, str | list) and not _is_number(value):
                raise ValueError(f"expected a number or a word for {str(key)[:40]!r}, got {str(value)[:40]}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _MOST  # not true of NaN
