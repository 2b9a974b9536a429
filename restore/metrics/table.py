"""The one table of measures that are asked for by name, besides PSNR and SSIM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from restore.errors import unknown
from restore.metrics import learned
from restore.metrics.brisque import brisque
from restore.metrics.cast import colour_cast
from restore.metrics.niqe import niqe
from restore.metrics.psnr import psnr
from restore.metrics.ssim import ssim
from restore.metrics.structure import ciede2000, gmsd, match_mean, ms_ssim


@dataclass(frozen=True)
class Measure:
    """A column.

    Args:
        label: its head in tables.
        digits: after the point.
        best: ``high`` or ``low``.
        function: ``function(x, y, border=...)``, B values; measures without a reference leave ``y`` alone.
        protocol: what belongs to the number.
    """

    label: str
    digits: int
    best: Literal["high", "low"]
    function: Callable[..., Tensor]
    protocol: str


def _alone(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def measure(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
        inner = slice(border, -border or None)
        return function(x[..., inner, inner])

    return measure


def _matched(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def measure(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
        return function(match_mean(x, y), y, border=border)

    return measure


MEASURES: dict[str, Measure] = {
    "ms-ssim": Measure("MS-SSIM", 4, "high", ms_ssim, "five scales, valid windows, mean of channels (piq)"),
    "gmsd": Measure("GMSD", 4, "low", gmsd, "grey (piq)"),
    "ciede2000": Measure("CIEDE2000", 2, "low", ciede2000, "mean over pixels (scikit-image)"),
    "colour-cast": Measure(
        "colour cast", 2, "low", colour_cast, "distance of the mean Cb, Cr (BT.601, units of 255)"
    ),
    "lpips": Measure("LPIPS", 4, "low", learned.lpips, "VGG16, version 0.1 (piq)"),
    "dists": Measure("DISTS", 4, "low", learned.dists, "VGG16, short side 256 (piq)"),
    "niqe": Measure("NIQE", 3, "low", _alone(niqe), "no reference; authors' parameters, blocks of 96 px"),
    "brisque": Measure("BRISQUE", 2, "low", _alone(brisque), "no reference; authors' support vectors"),
    "psnr-gt-mean": Measure(
        "PSNR (GT-mean)", 2, "high", _matched(psnr), "brightness taken from the reference: not comparable"
    ),
    "ssim-gt-mean": Measure(
        "SSIM (GT-mean)", 4, "high", _matched(ssim), "brightness taken from the reference: not comparable"
    ),
}


def pick_measures(names: Sequence[str]) -> dict[str, Measure]:
    """The measures of those names (commas separate), each once, in order; what they stand on is checked at once.

    Raises:
        UsageError: an unknown name, or a package that is not there.
        WeightsError: a weight file that is not there.
    """
    picked: dict[str, Measure] = {}
    for name in (part.strip() for text in names for part in text.split(",")):
        if not name:
            continue
        if name not in MEASURES:
            raise unknown("metric", name, MEASURES)
        if name in learned.FILES:
            learned.require(name)
        picked[name] = MEASURES[name]
    return picked


def measure_all(measures: dict[str, Measure], x: Tensor, y: Tensor, *, border: int) -> dict[str, Any]:
    """Every measure of one picture ``1 x C x H x W`` by name."""
    return {name: float(m.function(x, y, border=border)) for name, m in measures.items()}
