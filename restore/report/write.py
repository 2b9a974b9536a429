"""A measured table as the two files that are committed: JSON and Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restore.files import write_file
from restore.report.numbers import dumps


def write_report(result: Any, page: str, *, json: Path | None, markdown: Path | None) -> None:
    """Writes ``result`` and ``page`` where a path is given; a file that is there is replaced whole or not at all."""
    for path, text in ((json, dumps(result)), (markdown, page)):
        if path is not None:
            write_file(path, text)
