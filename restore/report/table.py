"""Rows as a Markdown table or as a table on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from restore.report.numbers import show

if TYPE_CHECKING:
    from rich.table import Table as RichTable

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: which key of a row, its title, digits after the point, and which end is good.

    ``best`` marks the best value of the rows that belong together; None: nothing to be good at.
    """

    key: str
    title: str
    digits: int | None = None
    best: Literal["high", "low"] | None = None

    @property
    def is_number(self) -> bool:
        """Numbers are set flush right."""
        return self.digits is not None


def best_rows(rows: Sequence[Row], column: Column, *, group: str | None = None) -> set[int]:
    """Indices of the rows that are best in ``column`` as shown (ties share), per group of two or more."""
    if column.best is None:
        return set()
    groups: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        value = row.get(column.key)
        if isinstance(value, int | float) and not math.isnan(value):
            groups.setdefault(row.get(group) if group else None, []).append(i)
    chosen: set[int] = set()
    for members in groups.values():
        if len(members) > 1:
            pick = max if column.best == "high" else min
            top = show(float(pick(rows[i][column.key] for i in members)), column.digits)
            chosen.update(i for i in members if show(float(rows[i][column.key]), column.digits) == top)
    return chosen


def markdown_table(rows: Sequence[Row], columns: Sequence[Column], *, group: str | None = None) -> str:
    """A Markdown table, columns padded to one width, the best of each group in bold."""
    best = [best_rows(rows, c, group=group) for c in columns]
    body = [
        [_bold(_escape(show(row.get(c.key), c.digits)), i in best[k]) for k, c in enumerate(columns)]
        for i, row in enumerate(rows)
    ]
    widths = [max(3, len(c.title), *(len(cells[k]) for cells in body)) for k, c in enumerate(columns)]
    rule = ["-" * (w - 1) + ":" if c.is_number else "-" * w for c, w in zip(columns, widths, strict=True)]
    lines = [[c.title for c in columns], rule, *body]
    return "".join(
        "| "
        + " | ".join(
            cell.rjust(w) if c.is_number else cell.ljust(w)
            for cell, c, w in zip(line, columns, widths, strict=True)
        )
        + " |\n"
        for line in lines
    )


def rich_table(
    rows: Sequence[Row], columns: Sequence[Column], *, title: str | None = None, group: str | None = None
) -> RichTable:
    """The same table for ``rich.console.Console.print``, a line between groups."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for c in columns:
        table.add_column(c.title, justify="right" if c.is_number else "left", overflow="fold")
    best = [best_rows(rows, c, group=group) for c in columns]
    for i, row in enumerate(rows):
        cells = [
            Text(show(row.get(c.key), c.digits), style="bold green" if i in best[k] else "")
            for k, c in enumerate(columns)
        ]
        last = group is not None and i + 1 < len(rows) and rows[i + 1].get(group) != row.get(group)
        table.add_row(*cells, end_section=last)
    return table


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
