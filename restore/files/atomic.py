"""A file that is either written in full or not there: temporary file, checked writes, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from restore.errors import ImageError, hint_for

PARTIAL = ".partial"
# File systems allow 255 bytes a name; the dot, eight hex digits and the ending take 18 of them.
_LONGEST_STEM = 236


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Gives a temporary path in the same folder, renamed to ``path`` on success and removed on any failure.

    The temporary file is hidden (``.name.1a2b3c4d.partial``), exists and is empty when given, and has the
    mode bits that the umask gives a new file. An existing ``path`` keeps its content until the rename, which
    is atomic.

    Raises:
        ImageError: the file cannot be created, written or renamed (no space, no permission, no such folder).
    """
    path = Path(path)
    try:
        temporary = _create_beside(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise _cannot_write(path, error) from error
    except BaseException:
        _remove(temporary)
        raise
    # Without this a power cut may lose the rename; not every file system can do it.
    with contextlib.suppress(OSError):
        _sync(path.parent)


@contextmanager
def atomic_file(path: Path | str) -> Iterator[IO[bytes]]:
    """As :func:`atomic_write`, gives the temporary file open for binary writing, every write of it checked.

    It has no descriptor to give away: encoders that are handed one write by themselves, and some (Pillow's) take
    a write that the system cut short for a whole one.
    """
    with atomic_write(path) as temporary, open_checked(temporary) as file:
        yield file


def open_checked(path: Path) -> IO[bytes]:
    """An existing file opened for writing as in :func:`atomic_file`; closing it raises what could not be written."""
    # By its number: a file with a name shows it to Pillow, which cannot take every name.
    return _CheckedWriter(io.FileIO(os.open(path, os.O_WRONLY), "w"))


def write_file(path: Path | str, content: bytes | memoryview | str) -> None:
    """Writes a whole file of bytes or UTF-8 text, or leaves what is there untouched; folders on the way are made.

    A link is followed; what is no regular file (a pipe, ``/dev/null``) is written as it is.

    Raises:
        ImageError: as :func:`atomic_write`.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        path = path.resolve() if path.is_symlink() else path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                file.write(data)
            return
    except OSError as error:
        raise _cannot_write(path, error) from error
    with atomic_file(path) as file:
        file.write(data)


class _CheckedWriter(io.BufferedWriter):
    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def _create_beside(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    stem = os.fsdecode(os.fsencode(path.name)[:_LONGEST_STEM])
    while True:
        temporary = path.with_name(f".{stem}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            # Plain open, not tempfile: tempfile makes files that only their owner can read.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return temporary


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    # The failure that led here is the one to report.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> ImageError:
    reason = (error.strerror or str(error)).lower()
    return ImageError(f"cannot write {str(path)!r}: {reason}", hint=hint_for(error))
