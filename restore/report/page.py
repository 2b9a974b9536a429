"""One HTML page that needs nothing else: no network, no files beside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restore.report.numbers import show
from restore.report.sheet import to_uint8
from restore.report.table import Column, best_rows


@dataclass(frozen=True)
class Comparison:
    """Pictures of one size to look at through a slider: any of ``views`` against any other.

    ``views`` are (label, ``H x W [x C]`` array), the first shown on the left, the second on the right.
    """

    title: str
    views: Sequence[tuple[str, np.ndarray]]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a heading; ``folded`` hides them behind the heading until it is clicked."""

    heading: str
    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[Column]
    group: str | None = None
    folded: bool = False


def html_page(
    title: str,
    *,
    notes: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    tables: Sequence[Table] = (),
    comparisons: Sequence[Comparison] = (),
) -> str:
    """The page as text.

    Args:
        notes: paragraphs below the title (the protocol, what was left out).
        facts: names and values set small at the end (environment, versions).
        tables: see :class:`Table`; the best value of each group is marked.
        comparisons: see :class:`Comparison`. Up to 512 px a side they are stored exactly (PNG); larger ones
            are previews (JPEG, quality 92), and the page says so.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f"<p>{html.escape(note)}</p>" for note in notes]
    parts += [_table(table) for table in tables]
    if comparisons:
        parts.append("<h2>Look</h2>")
        if any(max(v.shape[:2]) > _EXACT for c in comparisons for _, v in c.views):
            parts.append("<p>Large pictures are JPEG previews here; the numbers come from the originals.</p>")
        parts += [_comparison(c) for c in comparisons]
    if facts:
        items = "".join(
            f"<dt>{html.escape(str(k))}</dt><dd>{html.escape(show(v))}</dd>" for k, v in facts.items()
        )
        parts.append(f"<h2>Made with</h2><dl>{items}</dl>")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def data_uri(array: np.ndarray) -> str:
    """A picture as a ``data:`` address: PNG up to 512 px a side, JPEG above."""
    from PIL import Image

    image = Image.fromarray(to_uint8(array))
    buffer = io.BytesIO()
    kind = "png" if max(image.size) <= _EXACT else "jpeg"
    image.save(buffer, kind.upper(), **({"optimize": True} if kind == "png" else {"quality": 92}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _table(table: Table) -> str:
    best = [best_rows(table.rows, c, group=table.group) for c in table.columns]
    head = "".join(
        f"<th{' class=n' if c.is_number else ''}>{html.escape(c.title)}</th>" for c in table.columns
    )
    lines = []
    for i, row in enumerate(table.rows):
        cells = "".join(
            f"<td{_classes(c.is_number, i in best[k])}>{html.escape(show(row.get(c.key), c.digits))}</td>"
            for k, c in enumerate(table.columns)
        )
        start = i > 0 and table.group and table.rows[i - 1].get(table.group) != row.get(table.group)
        lines.append(f"<tr{' class=s' if start else ''}>{cells}</tr>")
    inner = (
        f'<div class="w"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )
    heading = html.escape(table.heading)
    if table.folded:
        return f"<details><summary>{heading}</summary>{inner}</details>"
    return f"<h2>{heading}</h2>{inner}"


def _classes(number: bool, best: bool) -> str:
    names = " ".join(n for n, on in (("n", number), ("b", best)) if on)
    return f' class="{names}"' if names else ""


def _comparison(c: Comparison) -> str:
    height, width = c.views[0][1].shape[:2]
    shown = max(width, min(3 * width, 640))
    right = min(1, len(c.views) - 1)

    def choices(chosen: int) -> str:
        return "".join(
            f'<option value="{i}"{" selected" if i == chosen else ""}>{html.escape(label)}</option>'
            for i, (label, _) in enumerate(c.views)
        )

    images = "".join(
        f'<img class="{"l" * (i == 0)} {"r" * (i == right)}" alt="{html.escape(label)}" src="{uri}">'
        for i, (label, uri) in enumerate((label, data_uri(view)) for label, view in c.views)
    )
    note = f"<figcaption>{html.escape(c.note)}</figcaption>" if c.note else ""
    return (
        f'<figure style="width:{shown}px"><h3>{html.escape(c.title)}</h3>'
        f'<div class="k"><label>left <select>{choices(0)}</select></label>'
        f"<label>right <select>{choices(right)}</select></label></div>"
        f'<div class="c" style="aspect-ratio:{width}/{height}">{images}<i></i>'
        '<input type="range" min="0" max="100" step="0.1" value="50" aria-label="where to cut"></div>'
        f"{note}</figure>"
    )


_EXACT = 512

_STYLE = """
:root{color-scheme:light dark;--line:#8886;--good:#0a7d3c}
@media(prefers-color-scheme:dark){:root{--good:#5fd38d}}
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
p,dd{overflow-wrap:anywhere}
.w{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid var(--line)}
.n{text-align:right}.b{font-weight:700;color:var(--good)}
tr.s td{border-top:2px solid var(--line)}
summary{font-size:1.1rem;margin:1rem 0;cursor:pointer}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;font-size:.85rem}dd{margin:0}
figure{margin:1.5rem 0;max-width:100%}
h3{margin:.3rem 0;font-size:1rem}
.k{display:flex;justify-content:space-between;margin-bottom:.3rem}
.c{position:relative;overflow:hidden;--x:50%}
.c img{display:none;position:absolute;inset:0;width:100%;height:100%;image-rendering:pixelated}
.c .l,.c .r{display:block}
.c .l:not(.r){clip-path:inset(0 calc(100% - var(--x)) 0 0);z-index:1}
.c i{position:absolute;z-index:2;top:0;bottom:0;left:var(--x);width:2px;margin-left:-1px;background:#fff;
box-shadow:0 0 3px #000;pointer-events:none}
.c input{position:absolute;z-index:3;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:ew-resize}
.c:focus-within{outline:2px solid #48f}
"""

_SCRIPT = """
document.querySelectorAll("figure").forEach(f=>{
const c=f.querySelector(".c"),r=c.querySelector("input"),views=c.querySelectorAll("img");
r.addEventListener("input",()=>c.style.setProperty("--x",r.value+"%"));
f.querySelectorAll("select").forEach((e,side)=>e.addEventListener("change",()=>
views.forEach((v,i)=>v.classList.toggle("lr"[side],i==e.value))));
});
"""
