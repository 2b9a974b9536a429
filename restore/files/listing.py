"""Which files of a folder are pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from restore.errors import ImageError, UsageError
from restore.files.formats import FORMATS, format_of
from restore.files.kinds import kind_of


@dataclass
class Listing:
    """The files below a folder, as sorted paths relative to it.

    Args:
        pictures: of any kind that is known, readable or not, whatever their endings.
        others: everything else that is not hidden.
    """

    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def find_pictures(folder: Path | str) -> list[Path]:
    """The pictures below ``folder`` that are read and written, as sorted paths relative to it.

    By their endings; a file without one is looked at. Hidden files and folders are left out, and so are our
    temporary files, which are hidden. Folders that are links are followed, once each. A single file gives itself,
    as it was given, whatever its ending.

    Raises:
        UsageError: there is no such file or folder.
        ImageError: a folder on the way cannot be listed; its pictures would be lost silently.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    return sorted(path for path in _files(folder) if format_of(path) or _is_unnamed(folder / path))


def list_files(folder: Path | str) -> Listing:
    """Every file below ``folder``, looked at where its ending is not one of a format that is written.

    Raises:
        UsageError, ImageError: as :func:`find_pictures`.
    """
    folder, found = Path(folder), Listing()
    for path in sorted(_files(folder)):
        is_picture = format_of(path) or kind_of(folder / path)
        (found.pictures if is_picture else found.others).append(path)
    return found


def _is_unnamed(path: Path) -> bool:
    return not path.suffix and kind_of(path) in FORMATS


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise UsageError(f"no such file or folder: {str(folder)!r}")
    seen: set[tuple[int, int]] = set()
    for here, inside, names in os.walk(folder, followlinks=True, onerror=_refuse):
        status = Path(here).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            inside.clear()
            continue
        seen.add(identity)
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        paths = (Path(here, name) for name in names if not name.startswith("."))
        yield from (path.relative_to(folder) for path in paths if _there(path))


def _there(path: Path) -> bool:
    """A file, or a link that leads nowhere: reading that says so, leaving it out would lose it silently."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _refuse(error: OSError) -> None:
    reason = (error.strerror or str(error)).lower()
    raise ImageError(
        f"cannot list {str(error.filename)!r}: {reason}", hint="allow reading it, or move it away"
    )
