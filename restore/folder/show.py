"""A folder run to look at: before and after of some pictures, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from restore.folder.result import FolderResult, Outcome
from restore.names import show_name
from restore.report import Column, Comparison, Table, html_page, look_at

if TYPE_CHECKING:
    from restore.files import Picture
    from restore.restorers import Diagnosis

COLUMNS = (
    Column("file", "picture"),
    Column("megapixels", "MP", 2),
    Column("seconds", "seconds", 2),
    Column("found", "found"),
    Column("done", "done"),
)


def spread(files: Sequence[str], count: int) -> set[str]:
    """``count`` of the files, evenly spread over them; all where there are fewer."""
    if not files or count < 1:
        return set()
    places = np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)
    return {files[i] for i in places}


def before_and_after(file: str, before: Picture, after: Picture, diagnosis: Diagnosis | None) -> Comparison:
    """One picture for the page; CMYK and transparency as they look on white."""
    views = [("before", _as_seen(before)), ("after", _as_seen(after))]
    if diagnosis is None:
        return look_at(file, views)
    return look_at(
        file,
        views,
        findings=[str(f) for f in diagnosis.findings] or ["nothing wrong"],
        actions=diagnosis.actions,
        note="; ".join(diagnosis.left),
    )


def run_page(result: FolderResult) -> str:
    """One HTML page: what was done to every picture, and a slider for some."""
    rows = [_row(o) for o in result.done]
    notes = [f"{k}: {v}" for k, v in result.settings.items() if k in ("model", "strength") and v != 1.0]
    if result.skipped:
        notes.append(
            f"{len(result.skipped)} pictures were finished by an earlier run and are not in this page."
        )
    notes += result.notes()
    notes += [f"failed: {show_name(o.file)}: {o.reason}" for o in result.failed]
    alone = sum(not o.changed for o in result.done)
    return html_page(
        f"{len(result.done)} pictures restored, {alone} of them left as they are",
        notes=notes,
        tables=[Table("Pictures", rows, COLUMNS)] if rows else [],
        comparisons=result.looks,
        pictures=len(result.done),
        facts={k: v for k, v in result.settings.items() if v is not None},
    )


def _row(o: Outcome) -> dict[str, Any]:
    record = o.record if isinstance(o.record, dict) else {}
    found = [_in_words(f) for f in record.get("findings", ())]
    done = ", then ".join(record.get("actions", ())) if record else "restored"
    return {
        "file": o.file,
        "megapixels": o.megapixels,
        "seconds": o.seconds,
        "found": "; ".join(found) if found else ("nothing wrong" if record else None),
        "done": done if o.changed and done else "left as it is",
    }


def _in_words(finding: dict[str, Any]) -> str:
    value = f" ({finding['unit']} {finding['value']:.0f})" if "value" in finding else ""
    return f"{finding['name']}{value} severity {finding['severity']:.1f}"


def _as_seen(picture: Picture) -> np.ndarray:
    """8-bit colours as on a white page."""
    from restore.report.sheet import to_uint8

    pixels = to_uint8(picture.pixels)
    for plane, ink in ((picture.black, True), (picture.alpha, False)):
        if plane is not None:
            share = to_uint8(plane)[..., :1].astype(np.uint16)
            paper = 0 if ink else 255 * (255 - share)
            pixels = ((pixels * share + paper + 127) // 255).astype(np.uint8)
    return pixels
