"""The table of restorers that are made of others. Who chooses among them (``auto``) has a row of his own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from restore.models.registry import SHIPPED
from restore.restorers import enlarged, found, marks
from restore.restorers.base import Restorer


@dataclass(frozen=True)
class Composed:
    """A row: ``restorer(load, device=, tile=, values=)``, where ``load`` makes restorers of names.

    Args:
        takes: names of the values it takes.
        needs: shipped networks without which it is not there.
    """

    restorer: Callable[..., Restorer]
    task: str
    kind: str
    description: str
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


TABLE: dict[str, Composed] = {
    enlarged.NAME: Composed(
        enlarged.ReEnlargeRestorer,
        enlarged.TASK,
        "learned",
        enlarged.DESCRIPTION,
        takes=("scale",),
        needs=tuple(f"sr-x{scale}" for scale in enlarged.SCALES),
    ),
    found.NAME: Composed(
        found.FoundRestorer,
        found.TASK,
        "learned",
        found.DESCRIPTION,
        takes=("sure",),
        needs=(marks.FINDER, found.FILLER, found.JUDGE),
    ),
}
# Those that are there: all that they need is shipped.
COMPOSED = {name: row for name, row in TABLE.items() if all(needed in SHIPPED for needed in row.needs)}
