"""Values given with a restorer's name, checked."""

from __future__ import annotations

from restore.errors import UsageError
from restore.names import Value
from restore.restorers.turns import COUNTS


def check_values(name: str, values: dict[str, Value], takes: tuple[str, ...]) -> None:
    """Refuses values a restorer does not take.

    Raises:
        UsageError: an unknown value, a sigma outside 0 to 255, or a number of turns that there is not.
    """
    for key, value in values.items():
        if key not in takes:
            raise UsageError(f"{name} takes no {key!r}", hint=f"it takes {', '.join(takes) or 'no values'}")
        if key == "sigma" and (isinstance(value, bool | str) or not 0 <= value <= 255):
            raise UsageError(f"{name}: expected sigma from 0 to 255, got {value!r}")
        if key == "search" and not isinstance(value, bool):
            raise UsageError(f"{name}: expected search=true or search=false, got {value!r}")
        if key == "turns" and (isinstance(value, bool) or value not in COUNTS):
            raise UsageError(f"{name}: expected 1, 2, 4 or 8 turns, got {value!r}")
