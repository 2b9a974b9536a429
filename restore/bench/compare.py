"""Two folders of the same pictures, before and after, with or without the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from restore.bench.means import count_identical, mean, unequal_counts
from restore.errors import ImageError, RestoreError, UsageError
from restore.files import find_pictures, read_picture
from restore.image import array_to_tensor, tensor_to_array
from restore.metrics import psnr, ssim
from restore.names import show_name
from restore.report import Column, Comparison, look_at, markdown_table

SCHEMA = 1
PathLike: TypeAlias = Path | str

TRUTH_COLUMNS = (
    Column("image", "picture"),
    Column("psnr_before", "PSNR before", 2),
    Column("psnr_after", "after", 2),
    Column("psnr_gain", "gain", 2),
    Column("ssim_before", "SSIM before", 4),
    Column("ssim_after", "after", 4),
    Column("ssim_gain", "gain", 4),
)
CHANGE_COLUMNS = (
    Column("image", "picture"),
    Column("psnr_between", "PSNR between", 2),
    Column("mean_change", "mean change /255", 2),
    Column("largest_change", "largest /255", 0),
)


@dataclass
class CompareResult:
    """What changed, picture by picture.

    Args:
        protocol: how it was scored.
        rows: per picture ``psnr_before``, ``psnr_after``, ``psnr_gain``, ``ssim_...`` with a truth; without
            one ``psnr_between`` (dB), ``mean_change`` and ``largest_change`` (absolute, in units of 255).
        summary: the same keys, means over the pictures (``largest_change``: the largest), and ``images``;
            with a truth also ``better`` and ``worse``, counted by PSNR. A picture that equals the truth has an
            infinite PSNR: means are over the finite ones, ``identical`` counts the others per key.
        unpaired: names of ``{"file", "missing_in"}``; they are in no row.
        failures: ``{"image", "error"}``: pairs that could not be read or do not fit.
        looks: whole pictures of some pairs; not in the file.
    """

    protocol: str
    has_truth: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    unpaired: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    looks: list[Comparison] = field(default_factory=list)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The table that belongs to the rows."""
        return TRUTH_COLUMNS if self.has_truth else CHANGE_COLUMNS

    @property
    def is_complete(self) -> bool:
        """Whether every picture of before and after was scored; truths nobody asked for do not matter."""
        return not self.failures and not any(u["missing_in"] != "before and after" for u in self.unpaired)

    @property
    def table_rows(self) -> list[dict[str, Any]]:
        """The rows and, below them, their mean."""
        return [*self.rows, {"image": f"mean of {len(self.rows)}", **self.summary}]

    def to_json(self) -> dict[str, Any]:
        """The result as one object for :func:`restore.report.dumps`."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "summary": self.summary,
            "unpaired": self.unpaired,
            "failures": self.failures,
            "rows": self.rows,
        }

    def notes(self) -> list[str]:
        """One line for everything that is in no row or not in a mean."""
        lines = [f"unpaired: {show_name(u['file'])} is missing in {u['missing_in']}" for u in self.unpaired]
        lines += [f"failed: {show_name(f['image'])}: {show_name(f['error'])}" for f in self.failures]
        return lines + unequal_counts(self.summary)

    def markdown(self) -> str:
        """The rows as a Markdown table, with the protocol and what is missing below."""
        notes = "".join(f"- {note}\n" for note in self.notes())
        return f"{markdown_table(self.table_rows, self.columns)}\n- `{self.protocol}`\n{notes}"


def compare_folders(
    before: PathLike,
    after: PathLike,
    *,
    truth: PathLike | None = None,
    looks: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> CompareResult:
    """Pairs pictures by their relative path without its ending, never by order, and scores each pair.

    With ``truth``: PSNR and SSIM (RGB, no border) of before and of after against it. Without: how much
    changed. A grey picture beside a coloured one is taken as R = G = B; alpha is ignored. Two single files
    are a pair whatever their names.

    Args:
        before: a folder or a file; likewise ``after`` and ``truth``.
        looks: how many pairs, evenly spread, are kept to be looked at.
        progress: called as (pairs done, pairs in all, picture).

    Raises:
        UsageError: no such folder, nothing to pair, or two files of one folder that differ in their ending
            alone.
    """
    sides = {"before": Path(before), "after": Path(after)} | (
        {"truth": Path(truth)} if truth is not None else {}
    )
    found = _indices(sides)
    keys = sorted(set.intersection(*(set(index) for index in found.values())))
    result = CompareResult(
        "psnr-all-channels/ssim-gauss11-sigma1.5-valid/border0/mean-of-images"
        if truth is not None
        else "psnr-between-all-channels/absolute-change-in-255/mean-of-images",
        has_truth=truth is not None,
        unpaired=_unpaired(found),
    )
    if not keys:
        counts = ", ".join(f"{len(index)} in {name}" for name, index in found.items())
        raise UsageError(
            f"no picture is in all of {', '.join(found)} ({counts})",
            hint="pictures are paired by their path in the folder without its ending",
        )
    chosen = {keys[i] for i in np.linspace(0, len(keys) - 1, min(looks, len(keys))).round().astype(int)}
    for done, key in enumerate(keys, 1):
        name = Path(found["before"][key]).name if len(keys) == 1 else key
        try:
            images = _same_channels({side: _read(index[key]) for side, index in found.items()})
            result.rows.append({"image": name, **_score(images)})
        except RestoreError as error:
            result.failures.append({"image": name, "error": str(error)})
        else:
            if key in chosen:
                views = [(side, tensor_to_array(image, np.uint8)) for side, image in images.items()]
                result.looks.append(look_at(name, views, note=_in_words(result.rows[-1])))
        if progress is not None:
            progress(done, len(keys), name)
    result.summary = _summary(result.rows)
    return result


def _indices(sides: dict[str, Path]) -> dict[str, dict[str, Path]]:
    """Per side, the pictures by relative path without ending."""
    if all(path.is_file() for path in sides.values()):
        return {name: {"": path} for name, path in sides.items()}
    indices = {}
    for name, root in sides.items():
        index: dict[str, Path] = {}
        for file in find_pictures(root):
            relative = Path(file.name) if root.is_file() else file
            path = root if root.is_file() else root / file
            key = relative.with_suffix("").as_posix()
            if key in index:
                raise UsageError(
                    f"{name}: {index[key].name!r} and {path.name!r} have one name without their ending",
                    hint="pictures are paired by that name; keep one of the two",
                )
            index[key] = path
        indices[name] = index
    return indices


def _unpaired(found: dict[str, dict[str, Path]]) -> list[dict[str, str]]:
    unpaired = []
    for key in sorted(set().union(*found.values())):
        missing = [name for name, index in found.items() if key not in index]
        if missing:
            there = next(index[key] for index in found.values() if key in index)
            unpaired.append({"file": f"{key}{there.suffix}", "missing_in": " and ".join(missing)})
    return unpaired


def _read(path: Path) -> Tensor:
    picture = read_picture(path)
    if picture.black is not None:
        raise ImageError(
            f"{show_name(path.name)}: CMYK has no RGB to compare", hint="convert it to RGB first"
        )
    return array_to_tensor(picture.pixels)


def _same_channels(images: dict[str, Tensor]) -> dict[str, Tensor]:
    channels = max(image.shape[1] for image in images.values())
    return {side: image.expand(-1, channels, -1, -1) for side, image in images.items()}


def _score(images: dict[str, Tensor]) -> dict[str, Any]:
    before, after, truth = images["before"], images["after"], images.get("truth")
    if truth is None:
        _check_size(after, before, "after", "before")
        change = (after - before).abs().double() * 255
        between = float(psnr(after, before))
        return {
            "psnr_between": between,
            "mean_change": float(change.mean()),
            "largest_change": float(change.max()),
        }
    _check_size(after, truth, "after", "truth")
    row: dict[str, Any] = {}
    # A smaller "before" (super-resolution) has no score against the truth; the gain is then not defined.
    fits = before.shape == truth.shape
    for name, metric in (("psnr", psnr), ("ssim", ssim)):
        start = float(metric(before, truth)) if fits else math.nan
        end = float(metric(after, truth))
        gain = 0.0 if start == end else end - start
        row |= {f"{name}_before": start, f"{name}_after": end, f"{name}_gain": gain}
    return row


def _check_size(image: Tensor, other: Tensor, name: str, other_name: str) -> None:
    if image.shape[-2:] != other.shape[-2:]:
        sizes = [f"{t.shape[-1]} x {t.shape[-2]}" for t in (other, image)]
        raise ImageError(f"expected {name} of the size of {other_name}, {sizes[0]}, got {sizes[1]}")


def _in_words(row: dict[str, Any]) -> str:
    if "psnr_between" in row:
        return f"mean change {row['mean_change']:.2f} of 255, largest {row['largest_change']:.0f}"
    before = "" if math.isnan(row["psnr_before"]) else f"{row['psnr_before']:.2f} dB before, "
    gain = "" if math.isnan(row["psnr_gain"]) else f" ({row['psnr_gain']:+.2f} dB)"
    return f"{before}{row['psnr_after']:.2f} dB after{gain}"


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    if not rows:
        return {"images": 0}
    keys = [key for key in rows[0] if key != "image"]
    summary: dict[str, Any] = {key: mean([r[key] for r in rows]) for key in keys}
    summary["identical"] = count_identical(rows, keys)
    if "largest_change" in summary:
        summary["largest_change"] = max(r["largest_change"] for r in rows)
    if "psnr_gain" in summary:
        summary["better"] = sum(r["psnr_gain"] > 0 for r in rows)
        summary["worse"] = sum(r["psnr_gain"] < 0 for r in rows)
    return {**summary, "images": len(rows)}
