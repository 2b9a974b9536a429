"""What can go wrong, in words a person can act on.

Every error says what was expected, what came, and (where there is one) a hint. The command line prints
them without a traceback; the exit code follows from the class.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_HINTS: dict[int | None, str] = {
    errno.ENOSPC: "free some space or choose another output folder",
    errno.EDQUOT: "your quota is used up: free some space or choose another output folder",
    errno.ENOENT: "create the folder first",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.EFBIG: "files may not become that large here: choose another output folder",
    errno.EIO: "the disk may be failing: choose another output folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class RestoreError(Exception):
    """Base of everything this package raises for people.

    Args:
        message: what was expected and what came, one sentence.
        hint: what to do about it; printed after ``hint:``.
    """

    exit_code = EXIT_SOME_FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


class UsageError(RestoreError):
    """The call itself is wrong: an unknown name, a value out of range, options that exclude each other."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A recipe or its overrides are wrong; the message lists every problem, one a line."""


class ImageError(RestoreError):
    """One picture cannot be read, used or written; other pictures are unaffected."""


class WeightsError(RestoreError):
    """A weight file is missing, damaged, or not for this network."""


class TrainingError(RestoreError):
    """Training cannot go on (a non-finite loss, no usable pictures); the message names the step."""


def _rebuild(kind: type[RestoreError], message: str, hint: str | None) -> RestoreError:
    return kind(message, hint=hint)


def hint_for(error: OSError) -> str | None:
    """What to do about an error of the file system."""
    return _HINTS.get(error.errno)


def did_you_mean(name: str, choices: Iterable[str]) -> str | None:
    """A hint naming the choices nearest to ``name``, or all of them when none is near."""
    known = sorted(choices)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(known)}" if known else None


def unknown(kind: str, name: str, choices: Iterable[str]) -> UsageError:
    """``UsageError`` for a name that is in no table, suggesting near misses."""
    return UsageError(f"unknown {kind} {name!r}", hint=did_you_mean(name, choices))
