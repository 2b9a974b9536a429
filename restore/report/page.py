"""One HTML page that needs nothing else: no network, no files beside it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restore.names import show_name
from restore.report.numbers import show
from restore.report.table import Column, best_rows
from restore.report.viewer import EXACT, Comparison, comparison_html


@dataclass(frozen=True)
class Table:
    """Rows under a heading, sorted by a click on a column's title.

    ``folded`` hides them behind the heading until it is clicked; ``footer`` stays below however they are sorted.
    """

    heading: str
    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[Column]
    group: str | None = None
    folded: bool = False
    footer: Mapping[str, Any] | None = None


# The page may use what is in it and nothing else, whatever a name in it tries.
_ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def html_page(
    title: str,
    *,
    notes: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    tables: Sequence[Table] = (),
    plots: Sequence[tuple[str, str]] = (),
    comparisons: Sequence[Comparison] = (),
    pictures: int | None = None,
) -> str:
    """The page as text.

    Args:
        notes: paragraphs below the title (the protocol, what was left out).
        facts: names and values set small at the end (environment, versions).
        tables: see :class:`Table`; the best value of each group is marked.
        plots: caption and ``data:`` address of each.
        comparisons: see :class:`Comparison`. Up to 384 px a side they are stored exactly (PNG); larger ones
            are previews (JPEG), and the page says so.
        pictures: how many there are; where fewer are shown the page says so.
    """
    parts = [f"<h1>{html.escape(show_name(title))}</h1>"]
    parts += [f"<p>{html.escape(show_name(note))}</p>" for note in notes]
    parts += [_table(table) for table in tables]
    if plots:
        figures = "".join(_figure(html.escape(show_name(text)), html.escape(uri)) for text, uri in plots)
        parts.append(f'<h2>Plots</h2><div class="plots">{figures}</div>')
    if comparisons:
        parts.append("<h2>Look</h2>")
        if pictures is not None and pictures > len(comparisons):
            parts.append(f"<p>{len(comparisons)} of {pictures} pictures are shown here.</p>")
        if any(_is_preview(c) for c in comparisons):
            parts.append(
                "<p>Large pictures are shrunk or JPEG previews here; the crops below them are exact, and the numbers "
                "come from the originals.</p>"
            )
        parts += [comparison_html(c) for c in comparisons]
    if facts:
        items = "".join(
            f"<dt>{html.escape(show_name(k))}</dt><dd>{html.escape(show(v))}</dd>" for k, v in facts.items()
        )
        parts.append(f"<h2>Made with</h2><dl>{items}</dl>")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_ALONE}">\n'
        f"<title>{html.escape(show_name(title))}</title>\n<style>{_asset('page.css')}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    best = [best_rows(table.rows, c, group=table.group) for c in table.columns]
    head = "".join(
        f"<th{_classes(c.is_number, False)}><button type=button>{html.escape(c.title)}</button></th>"
        for c in table.columns
    )
    lines = []
    for i, row in enumerate(table.rows):
        cells = "".join(_cell(row, c, is_best=i in best[k]) for k, c in enumerate(table.columns))
        start = i > 0 and table.group and table.rows[i - 1].get(table.group) != row.get(table.group)
        lines.append(f"<tr{' class=s' if start else ''}>{cells}</tr>")
    foot = ""
    if table.footer is not None:
        foot = (
            f"<tfoot><tr>{''.join(_cell(table.footer, c, is_best=False) for c in table.columns)}</tr></tfoot>"
        )
    rows = f"<tbody>{''.join(lines)}</tbody>{foot}"
    inner = f'<div class="w"><table><thead><tr>{head}</tr></thead>{rows}</table></div>'
    heading = html.escape(show_name(table.heading))
    if table.folded:
        return f"<details><summary>{heading}</summary>{inner}</details>"
    return f"<h2>{heading}</h2>{inner}"


def _figure(text: str, uri: str) -> str:
    return f'<figure><img alt="{text}" src="{uri}"><figcaption>{text}</figcaption></figure>'


def _cell(row: Mapping[str, Any], column: Column, *, is_best: bool) -> str:
    value = row.get(column.key)
    # What JavaScript sorts by: the number itself, not as rounded for show; empty where there is none.
    exact = ""
    if column.is_number:
        missing = not isinstance(value, int | float) or math.isnan(value)
        plain = "" if missing else "Infinity" if value == math.inf else repr(value)
        exact = f' data-v="{plain}"'
    return f"<td{_classes(column.is_number, is_best)}{exact}>{html.escape(show(value, column.digits))}</td>"


def _is_preview(c: Comparison) -> bool:
    height, width = c.views[0][1].shape[:2]
    return max(height, width) > EXACT or (c.size is not None and c.size != (width, height))


def _classes(number: bool, best: bool) -> str:
    names = " ".join(n for n, on in (("n", number), ("b", best)) if on)
    return f' class="{names}"' if names else ""


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
