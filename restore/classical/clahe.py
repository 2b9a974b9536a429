"""Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.classical.lowlight import scale_to
from restore.errors import UsageError
from restore.image import to_grey

# Levels a histogram tells apart, as on 8 bits; values between them are interpolated, so that 16 bits stay smooth.
LEVELS = 256
# Pixels that are mapped at a time.
_BAND = 1 << 16


def clahe(x: Tensor, *, clip: float = 2.0, tiles: int = 8) -> Tensor:
    """Equalises the luma tile by tile, mappings interpolated between tiles; the channels keep their ratios.

    On luma of 8 bits it is OpenCV's ``createCLAHE(clip, (tiles, tiles))``, not rounded; and what the clip cuts off is
    spread evenly, where OpenCV gives the last fewer than 256 pixels of a tile to its darkest levels.

    Args:
        x: ``B x C x H x W`` in [0, 1].
        clip: the largest count of a histogram's level, in units of the mean count; at least one pixel.
        tiles: the picture is cut into ``tiles x tiles``.

    Raises:
        UsageError: a clip that is not above 0, or fewer than one tile.
    """
    if not clip > 0 or tiles < 1:
        raise UsageError(f"clahe: expected clip above 0 and tiles of 1 or more, got {clip:g} and {tiles}")
    luma = to_grey(x).clamp(0, 1)
    return scale_to(x, luma, _mapped(luma[:, 0], _mappings(luma[:, 0], clip, tiles), tiles)[:, None])


def _mappings(luma: Tensor, clip: float, tiles: int) -> Tensor:
    """What every tile makes of every level: ``B x tiles x tiles x LEVELS``, rising to 1."""
    h, w = (-(-n // tiles) for n in luma.shape[-2:])
    pad = (0, w * tiles - luma.shape[-1], 0, h * tiles - luma.shape[-2])
    full = _mirror_ends(luma, pad)
    level = (full * (LEVELS - 1)).round().long().view(len(luma), tiles, h, tiles, w).transpose(2, 3)
    level = level.reshape(-1, h * w)
    tile = torch.arange(len(level), device=level.device)[:, None] * LEVELS
    counts = torch.bincount((level + tile).flatten(), minlength=len(level) * LEVELS).view(-1, LEVELS).float()
    most = max(1.0, float(int(clip * h * w / LEVELS)))
    over = (counts - most).clamp(min=0).sum(1, keepdim=True)
    counts = counts.clamp(max=most) + over / LEVELS
    return (counts.cumsum(1) / (h * w)).view(len(luma), tiles, tiles, LEVELS)


def _mapped(luma: Tensor, mappings: Tensor, tiles: int) -> Tensor:
    """Every value through the mappings of the four tiles whose centres are around it."""
    height, width = luma.shape[-2:]
    top, bottom, down = _between(height, tiles, luma)
    left, right, along = _between(width, tiles, luma)
    table = mappings.flatten()
    picture = torch.arange(len(luma), device=luma.device).view(-1, 1, 1) * tiles * tiles * LEVELS
    made = torch.empty_like(luma)
    rows = max(1, _BAND // (width * len(luma)))
    for start in range(0, height, rows):
        part = slice(start, start + rows)
        place = luma[:, part].float() * (LEVELS - 1)
        below = place.floor().clamp(max=LEVELS - 2)
        between, level = place - below, below.long() + picture

        def look(row: Tensor, column: Tensor, level: Tensor = level, between: Tensor = between) -> Tensor:
            index = level + (row[:, None] * tiles + column) * LEVELS
            return torch.lerp(table[index], table[index + 1], between)

        upper, lower = (torch.lerp(look(r[part], left), look(r[part], right), along) for r in (top, bottom))
        made[:, part] = torch.lerp(upper, lower, down[part, None]).to(luma.dtype)
    return made


def _between(length: int, tiles: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per pixel of an axis: the tile whose centre is before it, the one after it, and how far between them it is."""
    size = -(-length // tiles)
    place = torch.arange(length, device=like.device, dtype=torch.float32) / size - 0.5
    before = place.floor()
    tile = before.long()
    return tile.clamp(min=0), (tile + 1).clamp(max=tiles - 1), place - before


def _mirror_ends(x: Tensor, pad: tuple[int, int, int, int]) -> Tensor:
    """Padded by mirroring, however small the picture is."""
    for axis, more in ((-1, pad[1]), (-2, pad[3])):
        n = x.shape[axis]
        place = torch.arange(n + more, device=x.device) % max(1, 2 * n - 2)
        x = x.index_select(axis, torch.where(place < n, place, 2 * n - 2 - place))
    return x
