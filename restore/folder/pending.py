"""A result that is written already, and waits for its name."""

from __future__ import annotations

import contextlib
from pathlib import Path


class Pending:
    """A file beside ``path`` that becomes it in one step; see :func:`restore.files.atomic_write`.

    Attributes:
        temporary: where it is until then; it exists.

    Raises:
        ImageError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        from restore.files import atomic_write

        path.parent.mkdir(parents=True, exist_ok=True)
        self._writing = atomic_write(path)
        self.temporary = self._writing.__enter__()

    def commit(self) -> None:
        """Gives it its name.

        Raises:
            ImageError: it cannot be given.
        """
        self._writing.__exit__(None, None, None)

    def drop(self, error: BaseException) -> None:
        """Removes it and raises ``error``, an error of the disk in words."""
        self._writing.__exit__(type(error), error, error.__traceback__)
        raise error

    def discard(self) -> None:
        """Removes it."""
        with contextlib.suppress(_Unwanted):
            self.drop(_Unwanted())


class _Unwanted(Exception):
    """Nothing went wrong."""
