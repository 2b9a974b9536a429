"""Regular files of bounded size: what weights, parameters, recipes and records are read from, and nothing else.

A named pipe would be waited for, ``/dev/zero`` never ends, and a text may be nested deeper than a parser can follow;
all of that is found out here, before anything is read.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from io import BufferedReader
from pathlib import Path
from typing import Any

from restore.errors import RestoreError
from restore.names import show_name

# Texts that people or we ourselves write: recipes, presets, records of one picture a line.
MOST_TEXT = 256 << 20
_MOST_TOML = 4 << 20
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path, *, most: int, error: type[RestoreError], what: str = "file") -> BufferedReader:
    """``path`` open for reading, once it is known to be a regular file of at most ``most`` bytes.

    Args:
        error: the class that is raised.
        what: what the file is read as, for the message ("weights").

    Raises:
        RestoreError: of class ``error``: not there, no regular file, too large, or not readable.
    """
    try:
        _check(path, os.stat(path), most, error, what)  # noqa: PTH116 - opening some devices acts on them
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as reason:
        # A missing file is the caller's mistake in most places; the class says so.
        raise error(f"cannot read {what} {show_name(path)}: {reason.strerror}") from None
    except ValueError as reason:  # a null byte in the name
        raise error(f"cannot read {what} {show_name(path)!r}: {reason}") from None
    try:
        _check(path, os.fstat(file.fileno()), most, error, what)
    except RestoreError:
        file.close()
        raise
    return file


def read_regular(path: Path, *, most: int, error: type[RestoreError], what: str = "file") -> bytes:
    """The content of a regular file of at most ``most`` bytes; see :func:`open_regular` for what is raised."""
    with open_regular(path, most=most, error=error, what=what) as file:
        try:
            data = file.read(most + 1)
        except OSError as reason:
            raise error(f"cannot read {what} {show_name(path)}: {reason.strerror}") from None
        except MemoryError:
            raise error(f"cannot read {what} {show_name(path)}: it does not fit into memory") from None
    if len(data) > most:  # it grew meanwhile
        raise error(f"cannot read {what} {show_name(path)}: {_too_large(len(data), most)}")
    return data


def read_text(path: Path, *, error: type[RestoreError], what: str = "file", most: int = MOST_TEXT) -> str:
    """The same as UTF-8 text."""
    try:
        return read_regular(path, most=most, error=error, what=what).decode("utf-8")
    except UnicodeDecodeError as reason:
        raise error(
            f"cannot read {what} {show_name(path)}: it is no UTF-8 text (byte {reason.start})"
        ) from None


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: no JSON, the same key twice in one object, or nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_toml(path: Path, *, error: type[RestoreError], what: str) -> dict[str, Any]:
    """The tables of a TOML file; see :func:`open_regular` for what is raised, and for a file that is no TOML."""
    text = read_text(path, error=error, what=what, most=_MOST_TOML)
    try:
        return tomllib.loads(text)
    except ValueError as reason:  # whole numbers of too many digits are none of tomllib's own
        raise error(f"{show_name(path)} is not TOML: {reason}") from None
    except RecursionError:
        raise error(f"{show_name(path)} is not TOML: nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)[:80]!r} stands twice")
    return made


def _check(path: Path, found: os.stat_result, most: int, error: type[RestoreError], what: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for test, name in _KINDS if test(found.st_mode)), "no regular file")
        reason = os.strerror(errno.EISDIR) if kind == "a folder" else f"expected a regular file, got {kind}"
        raise error(f"cannot read {what} {show_name(path)}: {reason}")
    if found.st_size > most:
        raise error(f"cannot read {what} {show_name(path)}: {_too_large(found.st_size, most)}")


def _too_large(size: int, most: int) -> str:
    return f"expected at most {most:,} bytes, got {size:,}"
