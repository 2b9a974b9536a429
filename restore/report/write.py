"""A measured table as the two files that are committed: JSON and Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restore.files import atomic_write
from restore.report.numbers import dumps


def write_report(result: Any, page: str, *, json: Path | None, markdown: Path | None) -> None:
    """Writes ``result`` and ``page`` where a path is given; a file that is there is replaced whole or not at all."""
    for path, text in ((json, dumps(result)), (markdown, page)):
        if path is not None:
            with atomic_write(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
