"""What is wrong with a picture: asked once, on nine windows and a thumbnail, however large it is."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from restore.classical.dejpeg import find_quality
from restore.degradations.lowres import LOW_RESOLUTION
from restore.files.jpeg import nearest_quality
from restore.image import quantise
from restore.models.looker import WINDOW, Looker
from restore.models.registry import load_shipped
from restore.models.statistics import THUMBNAIL, thumbnail
from restore.restorers.air import HAZY, find_air
from restore.restorers.base import Read
from restore.restorers.drops import WET, find_drops
from restore.restorers.enlarged import SCALES
from restore.restorers.findings import Finding
from restore.restorers.marks import MARKED, find_marks
from restore.restorers.noise import look_for_noise
from restore.restorers.second import SecondOpinion

Tables = tuple[tuple[int, ...], ...]
# From this probability on something counts as found.
FOUND = 0.5
_BLOCK = 8  # windows start on the grid of JPEG's blocks
_SMALLEST = 96
# Side of the part that a JPEG's quality is found in, where the file does not say.
_QUALITY_SIDE = 512
# A file of this quality or less is compressed visibly, whatever the picture shows; severity 1 is quality 25.
_COARSE = 60
_SEVERITY_1, _SEVERITY_0 = 25, 95
# Noise that differs from pixel to pixel has a sigma of 15 to 20 per degree of severity; what demosaicing or a codec has
# smoothed shows less than 3 of it at the finest scale (photographs of the training).
_WHITE = 6.0
# How sure the first look can make of what another one must confirm: named, not acted upon.
_SUSPICION = 0.8
# Streaks and flakes look like scratches; their veil and that of water is one of air to who looks for haze.
_LIKE_DAMAGE = ("rain", "snow")
_LIKE_HAZE = ("rain", "snow", "underwater")


@cache
def shipped_looker(device: torch.device) -> tuple[Looker, tuple[str, ...], str]:
    """The shipped network on a device, its families, and its SHA-256."""
    net, header = load_shipped("looker")
    assert isinstance(net, Looker)
    return net.to(device), tuple(header["conditions"]), str(header["sha256"])


@torch.no_grad()
def look(
    read: Read, height: int, width: int, *, device: torch.device, tables: Tables | None = None
) -> list[Finding]:
    """Everything found in one picture, the worst first.

    Args:
        read: windows ``1 x C x h x w`` in [0, 1].
        tables: quantisation tables of the JPEG file it comes from.
    """
    net, families, _ = shipped_looker(device)
    windows = look_windows(read, height, width)
    sure, severe = _judged(net, windows, _small(read, height, width))

    def ask(family: str, opinion: SecondOpinion, likely: Tensor) -> None:
        k = families.index(family)
        again = opinion.judge(likely, suspected=float(sure[k]) >= FOUND)
        if again[0] > sure[k]:
            sure[k], severe[k] = again
        elif opinion.decides and not again[0]:
            sure[k] = min(float(sure[k]), _SUSPICION)

    def none_of(others: tuple[str, ...]) -> bool:
        return all(sure[families.index(f)] < FOUND for f in others)

    ask("raindrop", WET, find_drops(windows, device=device))
    if none_of(_LIKE_DAMAGE):
        ask("damage", MARKED, find_marks(read, height, width, device=device)[1])
    if none_of(_LIKE_HAZE):
        ask("haze", HAZY, find_air(read, height, width, device=device))
    found = []
    for family, confidence, severity in zip(families, sure.tolist(), severe.tolist(), strict=True):
        if confidence >= FOUND:
            value, unit = measured(family, read, height, width, device=device, tables=tables)
            if family == "downsampled":
                value, unit = _times(severity), "scale"
            smoothed = family == "noise" and value is not None and value < _WHITE * severity
            kind = "correlated" if smoothed else ""
            found.append(
                Finding(family, severity, confidence, value, "finest sigma" if smoothed else unit, kind)
            )
    quality = nearest_quality(tables) if tables else 100
    if quality <= _COARSE and not any(f.name == "jpeg" for f in found):
        severity = (_SEVERITY_0 - quality) / (_SEVERITY_0 - _SEVERITY_1)
        found.append(Finding("jpeg", min(5.0, severity), 1.0, float(quality), "quality"))
    return sorted(found, key=lambda f: -f.confidence * max(f.severity, 0.5))


def _judged(net: Looker, windows: Tensor, small: Tensor) -> tuple[Tensor, Tensor]:
    """How sure the network is of every family, and how severe it is."""
    out = net.judge(net.fine(windows).mean(0, keepdim=True), small)[0].float().cpu()
    return out[: net.families].sigmoid(), out[net.families :].clamp(0, 5)


def measured(
    family: str, read: Read, height: int, width: int, *, device: torch.device, tables: Tables | None
) -> tuple[float | None, str]:
    """A size of what was found, where one can be measured, and its unit (light in percent)."""
    if family == "noise":
        return 255 * float(look_for_noise(read, height, width, device=device)[0]), "sigma"
    if family == "jpeg":
        if tables:
            return float(nearest_quality(tables)), "quality"
        part = read(0, min(height, _QUALITY_SIDE), 0, min(width, _QUALITY_SIDE))[0]
        pixels = (quantise(part) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return float(find_quality(np.ascontiguousarray(pixels))), "quality"
    if family == "lowlight":
        return 100 * float(_small(read, height, width).mean()), "mean light"
    return None, ""


def _times(severity: float) -> float:
    """By how much a picture was enlarged, as whole numbers go that it can be shrunk by: the severity's factor."""
    factors = (LOW_RESOLUTION.knobs["factor"].levels or {})[224]
    factor = float(np.interp(severity, range(1, 6), [float(f) for f in factors]))
    return float(min(max(round(factor), SCALES[0]), SCALES[-1]))


def look_windows(read: Read, height: int, width: int) -> Tensor:
    """What :func:`look` shows its networks of a picture, ``N x 3 x h x w`` as 8 bits hold it."""
    return torch.cat([_as_file(read(*place)) for place in look_places(height, width)])


def look_places(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """At most nine windows of one size on a 3 x 3 grid, as (top, bottom, left, right), on the grid of blocks."""

    def starts(length: int) -> list[int]:
        last = max(0, length - WINDOW) // _BLOCK * _BLOCK
        middle = last // 2 // _BLOCK * _BLOCK
        return sorted({0, last} if last < WINDOW else {0, middle, last})

    return [
        (top, min(height, top + WINDOW), left, min(width, left + WINDOW))
        for top in starts(height)
        for left in starts(width)
    ]


def _as_file(x: Tensor) -> Tensor:
    """``1 x 3 x h x w`` as 8 bits hold it; mirrored until no side is too small to be looked at."""
    x = quantise(x.float()).expand(-1, 3, -1, -1)
    for axis in (-2, -1):
        n = x.shape[axis]
        if n < _SMALLEST:
            place = torch.arange(_SMALLEST, device=x.device) % (2 * n)
            x = x.index_select(axis, torch.where(place < n, place, 2 * n - 1 - place))
    return x


def _small(read: Read, height: int, width: int) -> Tensor:
    """The thumbnail, by bands of rows: only one band is ever in memory as float."""
    factor = max(1, min(height, width) // (2 * THUMBNAIL))
    band = factor * 64
    rows = []
    for top in range(0, height - factor + 1, band):
        part = read(top, min(height, top + band), 0, width)
        rows.append(F.avg_pool2d(quantise(part.float()), factor))
    return thumbnail(_as_file(torch.cat(rows, 2)))
