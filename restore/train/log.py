"""The log of a run: JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Log:
    """JSON lines; on resume, lines after the checkpoint are dropped because those steps are done again."""

    def __init__(self, path: Path, *, keep_until: int, enabled: bool) -> None:
        self._file = None
        if not enabled:
            return
        kept = []
        if keep_until and path.exists():
            kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= keep_until]
        path.write_text("".join(line + "\n" for line in kept))
        self._file = path.open("a")

    def write(self, record: dict[str, Any]) -> None:
        """Adds a line and hands it to the system at once."""
        if self._file is not None:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
