"""Finished parts of a judgement on disk, so that a stopped one goes on and any number can be made again."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from restore.errors import UsageError
from restore.files import atomic_file

Arrays = dict[str, np.ndarray]


class Parts:
    """Arrays by key, in memory or in a folder as one ``.npz`` per key.

    Args:
        folder: None keeps everything in memory.
        about: what the numbers depend on besides the key (data, seed, classifiers); parts made with other settings
            are made again, not mixed in.
    """

    def __init__(self, folder: Path | None, about: dict[str, object]) -> None:
        self.folder = folder
        self.mark = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self._held: dict[str, Arrays] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"cannot write to {folder}: {error.strerror}") from None

    def get(self, key: str, mark: str = "") -> Arrays | None:
        """The arrays of ``key`` made under the same settings and ``mark`` (a restorer's fingerprint), or None."""
        if key in self._held:
            return self._held[key]
        if self.folder is None:
            return None
        path = self._path(key, mark)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = dict(held)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None  # a torn file is made again
        self._held[key] = arrays
        return arrays

    def put(self, key: str, arrays: Arrays, mark: str = "") -> None:
        """Keeps the arrays; on disk the file appears whole or not at all."""
        self._held[key] = arrays
        if self.folder is None:
            return
        with atomic_file(self._path(key, mark)) as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def _path(self, key: str, mark: str) -> Path:
        assert self.folder is not None
        whole = hashlib.sha256(f"{self.mark}/{key}/{mark}".encode()).hexdigest()[:12]
        return self.folder / f"{re.sub(r'[^A-Za-z0-9._=-]+', '_', key)[:80]}.{whole}.npz"
