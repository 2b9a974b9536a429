"""Measures the pictures of a folder and says what stands out; no pixel is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from restore.diagnosis.measure import measure_picture
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.remarks import remarks
from restore.errors import RestoreError, UsageError
from restore.files import find_pictures, read_picture
from restore.image import array_to_tensor
from restore.report import Column, Table, html_page, look_at
from restore.report.viewer import Comparison

# What the table shows: quantity, title, digits. Everything is in the JSON.
_SHOWN = (
    ("noise level", "noise", 1),
    ("noise correlation", "correlation", 1),
    ("JPEG quality", "JPEG", 0),
    ("blur width", "blur px", 1),
    ("blur length", "motion px", 1),
    ("enlargement", "enlarged", 1),
    ("mean light", "light", 2),
    ("transmission", "transmission", 2),
    ("red attenuation", "red loss", 2),
    ("streaks", "streaks", 3),
    ("flakes", "flakes", 3),
)
COLUMNS = [
    Column("file", "file"),
    *(Column(name, title, digits) for name, title, digits in _SHOWN),
    Column("remarks", "stands out"),
]
NOTE = (
    "Noise: deviation, of 255; correlation 1 is white noise. JPEG: quality, 100 never coded. Blur: deviation and "
    "length of the point spread function. Light and transmission: shares. Red loss: log of green over red. Streaks "
    "and flakes: shares of the pixels. Every interval (90 %) is in the JSON."
)


@dataclass(frozen=True)
class PictureDiagnosis:
    """One file's measurements, or why there are none; ``view`` is what a page shows of it."""

    file: str
    measurements: Mapping[str, Measurement]
    failed: str | None = None
    view: Comparison | None = None

    def row(self) -> dict[str, Any]:
        """A row of the table (:data:`COLUMNS`)."""
        values: dict[str, Any] = {name: m.value for name, m in self.measurements.items()}
        said = self.failed or "; ".join(remarks(self.measurements))
        return {"file": self.file, **values, "remarks": said or "nothing"}

    def to_json(self) -> dict[str, Any]:
        """JSON-able."""
        found = [m.to_json() for m in self.measurements.values()]
        return {"file": self.file, "failed": self.failed, "remarks": remarks(self.measurements)} | {
            "measurements": found
        }


def diagnose_folder(
    folder: Path | str,
    *,
    looks: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[PictureDiagnosis]:
    """Every picture below ``folder`` (or the file itself), sorted by path.

    Args:
        looks: so many pictures, evenly spread, keep a preview for :func:`diagnosis_page`.
        progress: called with how many are done, of how many, and the file.

    Raises:
        UsageError: no such folder, or no pictures in it.
    """
    root = Path(folder)
    files = find_pictures(root)
    if not files:
        raise UsageError(f"no pictures in {str(root)!r}")
    chosen = set(np.linspace(0, len(files) - 1, min(looks, len(files))).round().astype(int).tolist())
    found = []
    for k, file in enumerate(files):
        name = file.name if root.is_file() else file.as_posix()
        found.append(_diagnose_file(root if root.is_file() else root / file, name, keep=k in chosen))
        progress(k + 1, len(files), name)
    return found


def diagnosis_page(found: list[PictureDiagnosis]) -> str:
    """One HTML page: the table, and the pictures that kept a preview."""
    return html_page(
        "What is measured",
        notes=[NOTE],
        tables=[Table("Pictures", [d.row() for d in found], COLUMNS)],
        comparisons=[d.view for d in found if d.view is not None],
        pictures=len(found),
    )


def _diagnose_file(path: Path, name: str, *, keep: bool) -> PictureDiagnosis:
    try:
        picture = read_picture(path)
    except RestoreError as error:
        return PictureDiagnosis(name, {}, failed=error.message)
    pixels = picture.pixels

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return array_to_tensor(pixels[top:bottom, left:right])

    height, width = pixels.shape[:2]
    measured = measure_picture(read, height, width, picture.tables)
    view = look_at(name, [("picture", pixels)], findings=remarks(measured)) if keep else None
    return PictureDiagnosis(name, measured, view=view)
