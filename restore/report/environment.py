"""Where numbers were made: versions, commit, processor, date. No path and no user name goes in."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from restore import version as ours
from restore.models.registry import SHIPPED
from restore.runtime import cpu_name

_PACKAGES = ("torch", "numpy", "scikit-image", "pillow", "opencv-python-headless")


def environment(*, device: str) -> dict[str, Any]:
    """What a reader needs to make the numbers again.

    Args:
        device: as torch names it; the processor's or the GPU's own name is looked up.
    """
    on_gpu = device.startswith("cuda")
    return {
        "restore": ours.__version__,
        "commit": commit(),
        "weights": {name: entry.sha256 for name, entry in SHIPPED.items()},
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "platform": platform.platform(terse=True),
        "device": device,
        "processor": torch.cuda.get_device_name(device) if on_gpu else cpu_name(),
        "threads": torch.get_num_threads(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def version(package: str) -> str | None:
    """The installed version of a distribution, None when it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit of this package's checkout, ``-dirty`` behind it when tracked files differ; else None.

    An installation inside somebody else's repository is not a checkout of ours: the package must be tracked.
    """
    package = Path(ours.__file__).resolve().parent
    if _git(package, "ls-files", "--error-unmatch", "version.py") is None:
        return None
    head = _git(package, "rev-parse", "HEAD")
    changes = _git(package, "status", "--porcelain", "--untracked-files=no")
    return f"{head}-dirty" if head and changes else head


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
