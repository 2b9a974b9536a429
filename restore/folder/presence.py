"""Who is at work in an output folder, and what dead runs left there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path

# The names of restore.files.atomic_write's temporary files.
_LEFTOVER = re.compile(r"\..*\.[0-9a-f]{8}\.partial")


class Presence:
    """Shows other runs that one is at work in a folder: a lock on it, which ends with the process.

    ``alone`` tells whether no other run was there; then nobody else gets in before :meth:`share`, and there
    is time to clean up after dead runs. Where the file system has no locks, nobody is ever alone.
    """

    def __init__(self, out: Path) -> None:
        self.fd = os.open(out, os.O_RDONLY)
        self.alone = False
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.alone = True
            except BlockingIOError:
                fcntl.flock(self.fd, fcntl.LOCK_SH)

    def share(self) -> None:
        """Lets other runs in."""
        with contextlib.suppress(OSError):
            fcntl.flock(self.fd, fcntl.LOCK_SH)

    def __enter__(self) -> Presence:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def remove_leftovers(out: Path) -> None:
    """Removes the temporary files that killed runs left below ``out``; for a run that is alone."""
    for here, _, names in os.walk(out):
        for name in filter(_LEFTOVER.fullmatch, names):
            with contextlib.suppress(OSError):
                Path(here, name).unlink()
