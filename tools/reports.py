"""How ``bench`` and ``compare`` hand over what they found: tables, files, and lines of progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore.errors import UsageError
from restore.names import show_name
from restore.tools.output import say

if TYPE_CHECKING:
    from rich.table import Table


def check_targets(streams: dict[str, str | None], files: Sequence[Path | None] = ()) -> None:
    """Before any work: at most one output goes to stdout, and every folder of a file is there or can be made.

    Raises:
        UsageError: two outputs want stdout, or a file cannot be written.
    """
    taken = [option for option, where in streams.items() if where == "-"]
    if len(taken) > 1:
        raise UsageError(f"{' and '.join(taken)} cannot both go to stdout", hint="give one of them a file")
    paths = [Path(where) for where in streams.values() if where not in (None, "-")]
    for path in [*paths, *(f for f in files if f is not None)]:
        if path.is_dir():
            raise UsageError(f"expected a file to write to, but {show_name(path)} is a folder")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write {show_name(path)}: {error.strerror}") from None
        if not os.access(path.parent, os.W_OK):
            raise UsageError(f"cannot write {path}", hint="choose a folder you may write to")


def emit_text(text: str, where: str | Path | None) -> None:
    """Writes to stdout (``"-"``) or a file; None writes nothing. Names that are not UTF-8 are escaped.

    Raises:
        ImageError: a file that cannot be written.
    """
    if where is None:
        return
    data = text.encode("utf-8", "backslashreplace")
    if where == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    from restore.files import write_file

    write_file(where, data)


def show_table(table: Table, *, to_stdout: bool) -> None:
    """The table for people: on stdout, or on stderr where stdout carries data."""
    from rich.console import Console

    console = Console(stderr=not to_stdout)
    if not console.is_terminal:
        console = Console(stderr=not to_stdout, width=200)
    console.print(table)


class Counting:
    """Progress as (done, in all, what): a bar with the time left on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> Counting:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        if not sys.stderr.isatty():
            say(f"[{done}/{total}] {show_name(what)}")
            return
        if self.bar is None:
            self._start(total)
        self.bar.update(self.task, completed=done, what=show_name(what)[-48:])

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            Task,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class What(ProgressColumn):
            """What was just done, as it is: names may look like markup."""

            def render(self, task: Task) -> Text:
                return Text(str(task.fields["what"]))

        columns = (MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(), What())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.bar.start()
        self.task = self.bar.add_task("", total=total, what="")
