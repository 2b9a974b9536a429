"""Filters of planes ``C x H x W``: maps of lines as banded products, sums of shifted windows.

Every sample is filtered alone, so that no result depends on a batch. All of them let gradients pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations.psf import gaussian_line

_BLOCK = 64  # samples along a line that one matrix product makes

LineMap: TypeAlias = list[tuple[slice, Tensor]]


def each(x: Tensor, make: Callable[..., Tensor], *columns: Tensor) -> Tensor:
    """``make(sample C x H x W, *values)`` for every sample, cut to [0, 1]; intermediates stay in the cache."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    rows = zip(wide, *(c.tolist() for c in columns), strict=True)
    if torch.is_grad_enabled() and x.requires_grad:
        return torch.stack([make(*row).clamp(0, 1) for row in rows]).to(x.dtype)
    out = torch.empty_like(wide)
    for target, row in zip(out, rows, strict=True):
        torch.clamp(make(*row), 0, 1, out=target)
    return out.to(x.dtype)


def gaussian(planes: Tensor, sigma: float, *, truncate: float = 4.0, edge: str = "nearest") -> Tensor:
    """``C x H x W`` blurred by a Gaussian cut at ``truncate`` sigma; for what lies beyond the edge see ``beyond``."""
    if sigma <= 0:
        return planes
    down, across = (_gaussian_line(n, sigma, truncate, edge) for n in planes.shape[-2:])
    return on_lines(planes, down, across)


def shake(planes: Tensor, radius: float, sigma: float, angle: float) -> Tensor:
    """``C x H x W`` moved along a line and summed: one side of a Gaussian, ``2 * radius + 1`` steps of a pixel.

    The Gaussian starts at the pixel itself, so the picture moves on the average; its border is continued.
    """
    h, w = planes.shape[-2:]
    steps = torch.arange(2 * int(radius) + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (steps / max(sigma, 1e-6)) ** 2)
    dy, dx = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    places = [(math.ceil(i * dy - 0.5), math.ceil(i * dx - 0.5)) for i in range(len(steps))]
    reached = next((i for i, (r, c) in enumerate(places) if abs(r) >= h or abs(c) >= w), len(places))
    total = float(weights.sum())  # what moves out of the picture is lost, as in the published code
    rows, columns = (max(abs(p[k]) for p in places[:reached]) for k in (0, 1))
    parts = [
        (rows + r, columns + c, k / total)
        for (r, c), k in zip(places[:reached], weights.tolist(), strict=False)
    ]
    return weigh(parts, extend(planes, rows, columns), h, w)


def zoomed(planes: Tensor, factor: float) -> Tensor:
    """``C x H x W``: the middle ``1 / factor`` of the sides enlarged and cut to ``H x W``, see :func:`enlarge`."""
    if factor == 1:
        return planes
    return on_lines(planes, *(_zoom_line(n, factor) for n in planes.shape[-2:]))


def gather_rows(planes: Tensor, rows: list[Tensor], weights: list[Tensor]) -> Tensor:
    """Rows of ``C x H x W`` made of few others: row i is the sum over p of ``weights[p][i]`` times row
    ``rows[p][i]``."""
    total = planes.index_select(-2, rows[0].to(planes.device)) * weights[0].to(planes)[:, None]
    for row, weight in zip(rows[1:], weights[1:], strict=True):
        total.addcmul_(planes.index_select(-2, row.to(planes.device)), weight.to(planes)[:, None])
    return total


def flipped(planes: Tensor) -> Tensor:
    """``C x W x H`` of ``C x H x W``, contiguous: work on rows is much faster than on columns."""
    return planes.transpose(-1, -2).contiguous()


def enlarge(planes: Tensor, factor: float) -> Tensor:
    """``C x H x W`` enlarged to the nearest whole size, bilinearly, corner pixels staying at the corners."""
    size = (round(planes.shape[-2] * factor), round(planes.shape[-1] * factor))
    return F.interpolate(planes[None], size=size, mode="bilinear", align_corners=True)[0]


def extend(planes: Tensor, rows: int, columns: int, *, edge: str = "nearest") -> Tensor:
    """``rows`` and ``columns`` more on each side; see ``beyond``."""
    h, w = planes.shape[-2:]
    if edge == "nearest" or (edge == "mirror" and rows < h and columns < w):
        kind = "replicate" if edge == "nearest" else "reflect"
        return F.pad(planes[None], (columns, columns, rows, rows), mode=kind)[0]
    for axis, extra in ((-2, rows), (-1, columns)):
        if extra:
            length = planes.shape[axis]
            ends = torch.arange(-extra, 0), torch.arange(length, length + extra)
            before, after = (
                planes.index_select(axis, beyond(e, length, edge).to(planes.device)) for e in ends
            )
            planes = torch.cat([before, planes, after], axis)
    return planes


def beyond(place: Tensor, length: int, edge: str) -> Tensor:
    """Which sample of a line stands for a place outside it: the last one ("nearest"), or one of the line mirrored
    with its last sample ("symmetric") or without ("mirror")."""
    if edge == "nearest" or length == 1:
        return place.clamp(0, length - 1)
    period = 2 * length if edge == "symmetric" else 2 * length - 2
    place = place % period
    return torch.minimum(place, period - place - (1 if edge == "symmetric" else 0))


def weigh(parts: list[tuple[int, int, float]], padded: Tensor, h: int, w: int) -> Tensor:
    """The sum of windows ``h x w`` of ``padded``, each given by its first row, first column and weight."""
    merged: dict[tuple[int, int], float] = {}
    for row, column, weight in parts:
        merged[row, column] = merged.get((row, column), 0.0) + weight
    total = padded.new_zeros((*padded.shape[:-2], h, w))
    for (row, column), weight in merged.items():
        total.add_(padded[..., row : row + h, column : column + w], alpha=weight)
    return total


def on_lines(planes: Tensor, down: LineMap, across: LineMap) -> Tensor:
    """Columns of ``C x H x W`` mapped by ``down`` and rows by ``across``, see :func:`line_map`."""
    parts = [band.to(planes) @ planes[:, seen] for seen, band in down]
    planes = torch.cat(parts, -2) if len(parts) > 1 else parts[0]
    parts = [planes[..., seen] @ band.to(planes).T for seen, band in across]
    return torch.cat(parts, -1) if len(parts) > 1 else parts[0]


def line_map(source: Tensor, weights: Tensor) -> LineMap:
    """A linear map of lines, banded, in blocks: which samples a block of the result needs, and a matrix.

    Args:
        source: ``n x P`` samples that make each of n results.
        weights: ``n x P``, or P for all.
    """
    made = []
    for start in range(0, len(source), _BLOCK):
        block = source[start : start + _BLOCK]
        first, last = int(block.min()), int(block.max())
        band = torch.zeros(len(block), last - first + 1, dtype=torch.float64)
        band.scatter_add_(1, block - first, weights.expand(source.shape)[start : start + _BLOCK])
        made.append((slice(first, last + 1), band.float()))
    return made


@lru_cache(maxsize=32)
def _gaussian_line(length: int, sigma: float, truncate: float, edge: str) -> LineMap:
    line = gaussian_line(sigma, radius=int(truncate * sigma + 0.5))
    reach = torch.arange(len(line)) - len(line) // 2
    return line_map(beyond(torch.arange(length)[:, None] + reach, length, edge), line)


@lru_cache(maxsize=64)
def _zoom_line(length: int, factor: float) -> LineMap:
    kept = math.ceil(length / factor)
    size = round(kept * factor)
    place = torch.arange(length, dtype=torch.float64) * ((kept - 1) / max(size - 1, 1))
    low = place.floor().clamp(max=kept - 1)
    source = torch.stack([low, (low + 1).clamp(max=kept - 1)], 1).long() + (length - kept) // 2
    return line_map(source, torch.stack([1 - (place - low), place - low], 1))
