"""Results as a page and as a sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from restore.bench.compare import CompareResult
from restore.bench.result import BenchResult
from restore.errors import UsageError
from restore.files import atomic_write
from restore.names import show_name
from restore.report import Comparison, Table, contact_sheet, html_page
from restore.report.sheet import busiest_window

SHEET_CROP = 256
# Sheets that end so are photographs of photographs; anything else is kept exactly.
_JPEG = (".jpg", ".jpeg")


def bench_page(result: BenchResult) -> str:
    """One HTML page: the summary, a slider per picture looked at, every row, and where it was made."""
    notes = [*result.protocol.split(" ; "), *result.notes()]
    facts = {
        "pictures": f"{result.data['pictures']} of {result.data['folder']}",
        "pixels": result.data["pixels"],
    }
    return html_page(
        f"Bench: {', '.join(result.options['degradations'])}",
        notes=notes,
        facts={**facts, "seed": result.options["seed"], **result.environment},
        tables=[
            Table("Means", result.summary, result.columns, group="degradation"),
            Table("Every picture", result.rows, result.row_columns, folded=True),
        ],
        comparisons=result.looks,
        pictures=result.data["pictures"] * len(result.options["degradations"]),
    )


def compare_page(result: CompareResult) -> str:
    """One HTML page: the table, and a slider per pair looked at."""
    return html_page(
        "Before and after",
        notes=[result.protocol, *result.notes()],
        tables=[Table("Pictures", result.rows, result.columns, footer=result.table_rows[-1])],
        comparisons=result.looks,
        pictures=len(result.rows),
    )


def write_sheet(looks: Sequence[Comparison], path: Path) -> None:
    """Writes a contact sheet: per look one row, the truth first, crops of 256 px.

    Args:
        path: ``.jpg`` gives a small file (quality 85), any other name an exact PNG.

    Raises:
        UsageError: the file cannot be written.
    """
    rows = []
    for look in looks:
        truth = look.views[-1][1]
        window = busiest_window(truth, SHEET_CROP)
        captions = [f"{look.title}\ntruth", *(label for label, _ in look.views[:-1])]
        images = [truth, *(view for _, view in look.views[:-1])]
        rows.append([(image[window], text) for image, text in zip(images, captions, strict=True)])
    buffer = io.BytesIO()
    made = contact_sheet(rows)
    if path.suffix.lower() in _JPEG:
        made.save(buffer, "JPEG", quality=85, subsampling=0, optimize=True)
    else:
        made.save(buffer, "PNG")
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(buffer.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write {show_name(path)}: {error.strerror}") from None
