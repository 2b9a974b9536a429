"""Numbers as text: in JSON and in a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from restore.names import show_name


def dumps(value: Any) -> str:
    """JSON that every reader takes, indented, keys in the order given, with a newline at the end.

    JSON has no NaN and no infinity. NaN (not defined) becomes ``null``; infinity (the PSNR of identical
    pictures) becomes ``"Infinity"``, which ``float()`` in Python and ``Number()`` in JavaScript read back.
    """
    return json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def show(value: Any, digits: int | None = None) -> str:
    """A table cell: ``digits`` after the point, ``–`` for what is missing or undefined, ``inf`` as it is."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if digits is None else f"{value:.{digits}f}"
    return show_name(value)
