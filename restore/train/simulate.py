"""What a recipe writes under ``degradation``, as a degradation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restore.degradations import Degradation, Pipeline, degradation


def simulator(items: Sequence[Any]) -> Degradation | Pipeline:
    """Names, texts ``"a + b"`` and tables ``{"one_of": [...]}``, in order, as one degradation.

    Raises:
        UsageError: an unknown name or parameter, a value out of range, or an unknown form.
    """
    parts: list[Any] = []
    for item in items:
        parts += [p.strip() for p in item.split("+")] if isinstance(item, str) else [item]
    return degradation(parts)
