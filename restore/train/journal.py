"""What a run says of itself while it runs: JSON lines in ``log.jsonl``, and lines for whoever watches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from restore.errors import TrainingError
from restore.files import write_file


class Journal:
    """The log of a run of ``steps`` steps that begins after ``start``; the clock starts here.

    On resume, lines after the checkpoint are dropped because those steps are done again.

    Args:
        enabled: False for processes that write nothing.

    Raises:
        ImageError: the log cannot be begun. TrainingError: or not be continued (no space).
    """

    def __init__(
        self, out: Path, *, steps: int, start: int, report: Callable[[str], None], enabled: bool = True
    ) -> None:
        self._steps, self._start, self._report = steps, start, report
        self._began = time.perf_counter()
        self._file = None
        if not enabled:
            return
        path = out / "log.jsonl"
        kept = _lines_until(path, start) if start else []
        write_file(path, "".join(line + "\n" for line in kept))
        # Unbuffered: what could not be written is not tried again when the file is closed.
        self._file = path.open("ab", buffering=0)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._began

    def left(self, done: int) -> str:
        """How long the rest will take, in words."""
        return duration((self._steps - done) * self.seconds / (done - self._start))

    def note(self, done: int, numbers: Mapping[str, Any], shown: str) -> None:
        """A line of the log after ``done`` steps, and the same in words."""
        self._write({"step": done, **numbers})
        self._report(f"step {done}/{self._steps}  {shown}")

    def alarm(self, done: int, text: str) -> None:
        """Something is wrong, but the run goes on."""
        self._write({"step": done, "alarm": text})
        self._report(f"step {done}: alarm: {text}")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        """Adds a line and hands it to the system at once."""
        if self._file is None:
            return
        data = json.dumps(record).encode() + b"\n"
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise TrainingError(
                f"cannot write {self._file.name}: {(error.strerror or str(error)).lower()}",
                hint="make room; --resume continues",
            ) from error


def _lines_until(path: Path, step: int) -> list[str]:
    """The lines of a log up to a step; torn and damaged ones are left out, the log is for people only."""
    if not path.exists():
        return []
    kept = []
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return kept


def duration(seconds: float) -> str:
    """``3725`` as ``1 h 02 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    )
