"""The record of what is finished, kept beside the pictures: ``.restore-manifest.jsonl``.

The first line holds the settings; then each picture has a ``writing`` line before its file gets its name and
a ``done`` line after. Lines are only ever added, whole, under a lock, so shards may share a folder. A picture
whose run was killed between the two lines is finished exactly if its file is not the one that ``was`` there
before: files get their name in one step.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from restore.errors import RestoreError, UsageError
from restore.files.bounded import read_regular
from restore.folder.plan import Job
from restore.names import show_name

NAME = ".restore-manifest.jsonl"
SCHEMA = 1
_MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Entry:
    """One line: a source as it was (``size``, ``mtime_ns``) and its output.

    ``was`` is (size, mtime_ns) of the file that stood under the output's name before, None if there was none;
    ``output_size`` is known when ``state`` is "done"; ``record`` is whatever the run wants back (parameters
    drawn); ``key`` is the job's.
    """

    state: str
    file: str
    size: int
    mtime_ns: int
    output: str
    settings: str
    was: tuple[int, int] | None = None
    output_size: int = 0
    record: Any = None
    key: str = ""


class Manifest:
    """What is known of an output folder, and where news of it is written.

    Reading happens in the constructor and changes nothing; :meth:`open` writes the first line.

    Raises:
        UsageError: a file of that name which is no manifest of this schema.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self.out = out
        self.path = out / NAME
        self.settings = dict(settings)
        self.key = fingerprint(self.settings)
        header, lines = _read(self.path)
        self.found = header
        self.entries = _entries(lines, header["fingerprint"]) if header else {}

    def differences(self) -> list[str]:
        """The settings in which earlier runs of the folder differ from this one, in words."""
        if self.found is None or self.found["fingerprint"] == self.key:
            return []
        before = self.found["settings"]
        keys = sorted({*before, *self.settings})
        return [
            f"{k}: {_say(before.get(k))} before, {_say(self.settings.get(k))} now"
            for k in keys
            if before.get(k) != self.settings.get(k)
        ]

    def state(self, job: Job) -> str:
        """``"new"``, ``"finished"``, ``"redo"`` (ours, to do again) or ``"foreign"`` (not as we left it)."""
        now = stat_of(self.out / job.output)
        if now is None or now[0] == 0:
            return "new"
        entry = self.entries.get(job.output)
        if entry is None:
            return "foreign"
        if entry.state == "done" and now[0] != entry.output_size:
            return "foreign"
        if entry.state == "writing" and now == entry.was:
            return "redo"
        before = (entry.file, entry.size, entry.mtime_ns, entry.key)
        same = before == (job.file, job.size, job.mtime_ns, job.key)
        return "finished" if same else "redo"

    def open(self, claims: Iterable[Job] = (), *, start_anew: bool = False) -> None:
        """Writes the settings if there are none yet; existing files of ``claims`` may be replaced.

        Args:
            start_anew: other settings than before: everything written so far is to be done again.

        Raises:
            OSError: it cannot be written; one that could not be begun is not there afterwards.
        """
        try:
            self._open(claims, start_anew)
        except OSError:
            with contextlib.suppress(OSError):
                if b"\n" not in self.path.read_bytes():  # not even begun
                    self.path.unlink()
            raise

    def _open(self, claims: Iterable[Job], start_anew: bool) -> None:
        lines = [self._entry(job, "writing") for job in claims]
        if start_anew:
            claimed = {line.output for line in lines}
            for old in self.entries.values():
                was = stat_of(self.out / old.output)
                if was is not None and old.output not in claimed:
                    lines.append(replace(old, state="writing", settings=self.key, was=was))
            self._replace(lines)
        else:
            self._append(lines)
        self.entries.update({line.output: line for line in lines})

    def begin(self, job: Job, record: Any = None) -> None:
        """Says that the output of ``job`` is about to get its name; on the disk before it returns."""
        self._append([self._entry(job, "writing", record)], sync=True)

    def finish(self, job: Job, record: Any = None) -> None:
        """Says that the output of ``job`` is complete."""
        now = stat_of(self.out / job.output)
        entry = replace(self._entry(job, "done", record), was=None, output_size=now[0] if now else 0)
        self._append([entry])

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other runs from adding lines meanwhile; the manifest must have been opened."""
        with _locked(self.path):
            yield

    def records(self) -> dict[str, Any]:
        """The record of every finished picture by ``file``, other shards' included, as of now."""
        header, lines = _read(self.path)
        entries = _entries(lines, self.key) if header else {}
        found = {}
        for entry in entries.values():
            now = stat_of(self.out / entry.output)
            if now is not None and (entry.state == "done" or now != entry.was):
                found[entry.file] = entry.record
        return found

    def _entry(self, job: Job, state: str, record: Any = None) -> Entry:
        was = stat_of(self.out / job.output)
        return Entry(
            state, job.file, job.size, job.mtime_ns, job.output, self.key, was, record=record, key=job.key
        )

    def _header(self) -> bytes:
        return _line({"schema": SCHEMA, "fingerprint": self.key, "settings": self.settings})

    def _append(self, entries: Iterable[Entry], *, sync: bool = False) -> None:
        with _locked(self.path) as fd:
            size = os.fstat(fd).st_size
            data = b"".join(_line(asdict(e)) for e in entries)
            if size == 0:
                data = self._header() + data
            elif os.pread(fd, 1, size - 1) != b"\n":
                # The last line of a killed run is torn: close it, readers pass over it.
                data = b"\n" + data
            while data:
                data = data[os.write(fd, data) :]
            if sync:
                os.fsync(fd)

    def _replace(self, entries: Iterable[Entry]) -> None:
        temporary = self.path.with_name(f"{NAME}.{os.getpid()}.new")
        try:
            with temporary.open("wb") as file:
                file.write(self._header() + b"".join(_line(asdict(e)) for e in entries))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def fingerprint(settings: Mapping[str, Any]) -> str:
    """A short hash of the settings; every line carries it."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def outputs_of(folder: Path) -> set[str]:
    """What earlier runs wrote into ``folder``, whatever their settings; empty where its manifest is damaged."""
    try:
        _, lines = _read(folder / NAME)
    except RestoreError:
        return set()
    return {line["output"] for line in lines if isinstance(line.get("output"), str)}


def stat_of(path: Path) -> tuple[int, int] | None:
    """(size, mtime_ns) of what stands under that name, not of a link's target; None if nothing does."""
    try:
        stat = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_size, stat.st_mtime_ns


def _read(path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    try:
        path.lstat()
    except OSError:
        return None, []
    raw = read_regular(path, most=_MOST_BYTES, error=RestoreError, what="the manifest")
    first, newline, rest = raw.partition(b"\n")
    header = _parsed(first)
    if header is None and not newline and not raw.strip(b"\0"):
        return None, []
    if header is None or header.get("schema") != SCHEMA or not _has_settings(header):
        raise UsageError(
            f"expected a manifest of schema {SCHEMA} in {show_name(path)}, got something else",
            hint="it is damaged or of another version; move it away, or write to another folder",
        )
    return header, [line for text in rest.split(b"\n") if (line := _parsed(text)) is not None]


def _has_settings(header: Mapping[str, Any]) -> bool:
    return isinstance(header.get("fingerprint"), str) and isinstance(header.get("settings"), dict)


def _entries(lines: Iterable[dict[str, Any]], key: str) -> dict[str, Entry]:
    """The last line of each output; torn lines and those of other settings are passed over."""
    entries = {}
    for line in lines:
        try:
            entry = Entry(**line)
        except TypeError:
            continue
        if not _plausible(entry):
            continue
        if entry.settings == key:
            was = entry.was
            entries[entry.output] = replace(entry, was=(was[0], was[1]) if was else None)
    return entries


def _plausible(entry: Entry) -> bool:
    """Whether a line holds the kinds of values that are written, and an output below the folder."""
    words = (entry.state, entry.file, entry.output, entry.settings, entry.key)
    if not all(isinstance(word, str) for word in words) or entry.state not in ("writing", "done"):
        return False
    if not all(type(number) is int for number in (entry.size, entry.mtime_ns, entry.output_size)):
        return False
    was = entry.was
    if was is not None and (not isinstance(was, list | tuple) or [type(n) for n in was] != [int, int]):
        return False
    place = PurePosixPath(entry.output)
    return (
        "\0" not in entry.output and not place.is_absolute() and ".." not in place.parts and bool(place.parts)
    )


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"


def _say(value: Any) -> str:
    return "nothing" if value is None else str(value)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: whole lines still go in one write
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)
