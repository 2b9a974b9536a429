"""Which files of a folder are pictures."""

from __future__ import annotations

import os
from pathlib import Path

from restore.errors import ImageError, UsageError
from restore.files.formats import format_of


def find_pictures(folder: Path | str) -> list[Path]:
    """The pictures below ``folder``, by their endings, as sorted paths relative to it.

    Hidden files and folders are left out, and so are our temporary files, which are hidden. Folders that are
    links are followed, once each. A single file gives itself, as it was given, whatever its ending.

    Raises:
        UsageError: there is no such file or folder.
        ImageError: a folder on the way cannot be listed; its pictures would be lost silently.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UsageError(f"no such file or folder: {str(folder)!r}")
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for here, inside, names in os.walk(folder, followlinks=True, onerror=_refuse):
        status = Path(here).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            inside.clear()
            continue
        seen.add(identity)
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        pictures = (Path(here, name) for name in names if not name.startswith("."))
        found += [path.relative_to(folder) for path in pictures if format_of(path) and _there(path)]
    return sorted(found)


def _there(path: Path) -> bool:
    """A file, or a link that leads nowhere: reading that says so, leaving it out would lose it silently."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _refuse(error: OSError) -> None:
    reason = (error.strerror or str(error)).lower()
    raise ImageError(
        f"cannot list {str(error.filename)!r}: {reason}", hint="allow reading it, or move it away"
    )
