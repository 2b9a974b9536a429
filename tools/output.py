"""How the commands talk: news on stderr, data on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore.errors import RestoreError
from restore.names import show_lines, show_name

if TYPE_CHECKING:
    from restore.folder.result import Event, FolderResult


def say(text: str, *, colour: int | None = None) -> None:
    """A line on stderr; ``colour`` is an ANSI number (31 red, 33 yellow) used on a terminal only."""
    text = show_lines(text)
    if colour is not None and sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        text = f"\x1b[{colour}m{text}\x1b[0m"
    print(text, file=sys.stderr, flush=True)


def complain(error: RestoreError) -> None:
    """An error in words, with its hint."""
    say(f"error: {error.message}", colour=31)
    if error.hint:
        say(f"  hint: {error.hint}")


def debugging() -> bool:
    """Whether tracebacks are wanted: ``RESTORE_DEBUG=1``."""
    return os.environ.get("RESTORE_DEBUG", "") not in ("", "0")


def emit_json(value: Any, where: str | None) -> None:
    """Writes ``value`` as JSON to stdout (``"-"``) or a file; None writes nothing.

    Raises:
        ImageError: a file that cannot be written.
    """
    if where is None:
        return
    text = json.dumps(value, indent=2) + "\n"
    if where == "-":
        sys.stdout.write(text)
        return
    from restore.files import write_file

    write_file(where, text)


def duration(seconds: float) -> str:
    """``12.3 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class FolderProgress:
    """Shows a folder run: a bar with speed and time left on a terminal, plain lines elsewhere.

    Time left is reckoned from the sources' file sizes: sizes in pixels are not known before a file is opened.
    """

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.finished = 0
        self.total = 0
        self.megapixels = 0.0
        self.bytes_done = 0.0
        self.partly: dict[str, float] = {}
        self.began = time.perf_counter()
        self.last_hint: str | None = None
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> FolderProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self._start(event)
        elif event.kind == "progress":
            self.partly[event.file] = event.fraction * event.source_bytes
        else:
            self._finish(event)
        self._move(event.file)

    def _start(self, event: Event) -> None:
        self.total = event.total
        self.began = time.perf_counter()
        if event.skipped:
            say(f"{event.skipped} finished before, {event.total} to do")
        if event.total and sys.stderr.isatty():
            self.bar, self.task = _bar(event.total_bytes, event.total)

    def _finish(self, event: Event) -> None:
        outcome = event.outcome
        assert outcome is not None
        self.finished += 1
        self.partly.pop(event.file, None)
        self.bytes_done += event.source_bytes
        self.megapixels += outcome.megapixels
        if event.kind == "failed":
            self._line(f"failed: {show_name(outcome.file)}: {outcome.reason}", colour=31)
            self._hint(outcome.hint)
        elif self.bar is None:
            say(
                f"[{self.finished}/{self.total}] {show_name(outcome.output)}  "
                f"{outcome.megapixels:.2f} MP  {duration(outcome.seconds)}"
                + ("" if outcome.changed else "  left as it is")
            )
        if event.kind == "done" and outcome.left_out:
            self._line(f"note: {show_name(outcome.file)}: left out: {', '.join(outcome.left_out)}", colour=33)

    def _move(self, file: str) -> None:
        if self.bar is None:
            return
        elapsed = time.perf_counter() - self.began
        speed = f"{self.megapixels / elapsed:.2f} MP/s" if self.megapixels else ""
        done = self.bytes_done + sum(self.partly.values())
        self.bar.update(
            self.task, completed=done, count=f"{self.finished}/{self.total}", speed=speed, file=file
        )

    def _hint(self, hint: str | None) -> None:
        """A hint where it is another than the last one: a thousand failures may have one and the same."""
        if hint and hint != self.last_hint:
            self._line(f"  hint: {hint}")
        self.last_hint = hint

    def _line(self, text: str, *, colour: int | None = None) -> None:
        if self.bar is None:
            say(text, colour=colour)
        else:
            style = {31: "red", 33: "yellow"}.get(colour or 0)
            self.bar.console.print(show_lines(text), style=style, markup=False, highlight=False)

    def summary(self, result: FolderResult) -> str:
        """``12 restored, 3 skipped, 1 failed in 12.3 s (3.40 MP/s)``."""
        same = sum(not o.changed for o in result.done)
        alone = f" ({same} left as they are)" if same else ""
        counts = f"{len(result.done)} {self.verb}{alone}, {len(result.skipped)} skipped, {len(result.failed)} failed"
        speed = result.megapixels / result.seconds if result.seconds > 0 else 0.0
        return f"{counts} in {duration(result.seconds)}" + (f" ({speed:.2f} MP/s)" if result.done else "")


def _bar(total_bytes: int, total: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class File(ProgressColumn):
        """The file at work, as it is: names may look like markup."""

        def render(self, task: Task) -> Text:
            return Text(show_name(task.fields["file"])[-40:])

    bar = Progress(
        TextColumn("{task.fields[count]}"),
        BarColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        File(),
        console=Console(stderr=True),
    )
    bar.start()
    return bar, bar.add_task(
        escape("pictures"), total=max(total_bytes, 1), count=f"0/{total}", speed="", file=""
    )


def report_folder(
    result: FolderResult, progress: FolderProgress, out: Path, *, dry_run: bool, to_stdout: bool
) -> None:
    """The end of a folder run: the plan of a dry run on stdout, else a summary on stderr."""
    if result.planned and to_stdout:
        sys.stdout.write(
            "".join(f"{show_name(o.file)} -> {show_name(out / o.output)}\n" for o in result.planned)
        )
    if dry_run:
        for line in result.notes():
            say(line)
        say(f"{len(result.planned)} to do, {len(result.skipped)} skipped")
        return
    for line in result.notes():
        say(line)
    say(progress.summary(result))


def explain_findings(result: FolderResult, *, to_stdout: bool) -> None:
    """What a restorer that looks first found in each picture and did: a line each, on stdout or stderr."""
    for o in result.done:
        record = o.record or {}
        found = "; ".join(_finding(f) for f in record.get("findings", ())) or "nothing wrong"
        done = ", then ".join(record.get("actions", ())) or "left as it is"
        left = "".join(f" ({reason})" for reason in record.get("left", ()))
        line = show_name(f"{o.file}: {found} -> {done}{left}")
        if to_stdout:
            sys.stdout.write(line + "\n")
        else:
            say(line)


def _finding(f: dict[str, Any]) -> str:
    value = f" {f['unit']} about {f['value']:.3g}," if "value" in f else ""
    return f"{f['name']}:{value} severity {f['severity']:.1f} ({f['confidence']:.0%})"
