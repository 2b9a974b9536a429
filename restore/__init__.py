"""Turns degraded pictures into usable ones, and proves that they are usable.

``restore.load("denoise")(picture)``, ``restore.restore_folder("photos", "out")``, ``restore.degrade``,
``restore.compare``: see :mod:`restore.api`. Importing this package imports no torch; the first use does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from restore.version import __version__ as __version__

if TYPE_CHECKING:
    from restore.api import FolderResult as FolderResult
    from restore.api import Restorer as Restorer
    from restore.api import compare as compare
    from restore.api import degrade as degrade
    from restore.api import degrade_folder as degrade_folder
    from restore.api import diagnose as diagnose
    from restore.api import load as load
    from restore.api import names as names
    from restore.api import replay as replay
    from restore.api import restore_folder as restore_folder

_OFFERED = (
    "FolderResult",
    "Restorer",
    "compare",
    "degrade",
    "degrade_folder",
    "diagnose",
    "load",
    "names",
    "replay",
    "restore_folder",
)


def __getattr__(name: str) -> Any:
    if name in _OFFERED:
        from restore import api

        return getattr(api, name)
    raise AttributeError(f"module 'restore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED])
