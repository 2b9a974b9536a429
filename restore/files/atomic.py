"""A file that is either written in full or not there: temporary file, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restore.errors import ImageError

PARTIAL = ".partial"
# File systems allow 255 bytes a name; the dot, eight hex digits and the ending take 18 of them.
_LONGEST_STEM = 236
_HINTS: dict[int | None, str] = {
    errno.ENOSPC: "free some space or choose another output folder",
    errno.EDQUOT: "your quota is used up: free some space or choose another output folder",
    errno.ENOENT: "create the folder first",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
}


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
    return ImageError(f"cannot write {str(path)!r}: {reason}", hint=_HINTS.get(error.errno))
