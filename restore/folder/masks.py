"""The masks of a folder's pictures, found by name."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from restore.errors import ImageError, UsageError
from restore.folder.plan import PathLike
from restore.names import show_name

if TYPE_CHECKING:
    from restore.restorers import Restorer


class Masks:
    """Pictures that say which pixels of others are missing: white ones.

    Attributes:
        fingerprint: of the masks' names and of what is in them, so that a changed mask is another result.

    Raises:
        UsageError: no masks for a restorer that needs them, masks for one that does not, no such folder, or two
            masks of one name.
    """

    def __init__(self, where: PathLike | None, restorer: Restorer) -> None:
        from restore.files import find_pictures

        if where is None:
            raise UsageError(f"{restorer.name} needs a mask of what is missing", hint="--mask FOLDER")
        if not restorer.spec.mask:
            raise UsageError(f"{restorer.name} takes no mask", hint="leave --mask out")
        path = Path(where)
        self.one = path if path.is_file() else None
        self.found: dict[str, Path] = {}
        for name in [] if self.one else find_pictures(path):
            key = name.with_suffix("").as_posix()
            if key in self.found:
                raise UsageError(
                    f"{self.found[key].name!r} and {name.name!r} would be the mask of one picture"
                )
            self.found[key] = path / name
        digest = hashlib.sha256()
        for file in [self.one] if self.one else [self.found[key] for key in sorted(self.found)]:
            digest.update(file.name.encode("utf-8", "surrogateescape") + file.read_bytes())
        self.fingerprint = digest.hexdigest()[:16]

    def of(self, file: str) -> np.ndarray:
        """``H x W``: the mask of the picture at the relative path ``file``, in the picture's orientation.

        Raises:
            ImageError: there is none, or it cannot be read.
        """
        from restore.files import read_picture

        path = self.one or self.found.get(PurePosixPath(file).with_suffix("").as_posix())
        if path is None:
            raise ImageError(
                f"no mask of this name: expected {show_name(PurePosixPath(file).with_suffix('.png'))}"
            )
        pixels = read_picture(path).pixels
        return pixels.max(axis=2)
