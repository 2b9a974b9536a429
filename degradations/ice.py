"""Drawn sheets of ice on a window, in place of the six photographs of ice that ImageNet-C overlays."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import sample as draw

SHEETS = 6
_SIDE = 512  # of a sheet, which repeats beyond
_VIEW = 224  # the short side of a picture that sees a sheet as it is
# Mean colours and contrast of the darkest and the brightest sheet; the photographs of the original lie between.
_COLOURS = ((0.27, 0.35, 0.39), (0.80, 0.82, 0.85))
_CONTRASTS = (0.16, 0.09)
_DIRECTIONS = 8
_CLOUDS = 0.6  # how much dense and thin places count beside the needles


def ice_part(seed: int, h: int, w: int) -> Tensor:
    """Some place of one of the sheets, ``3 x H x W`` in [0, 1]; its crystals grow with pictures from 336 pixels."""
    g = draw.generator(draw.child_seed(seed, "ice"))
    sheet = ice_sheet(int(draw.draw_choice(1, SHEETS, g)))
    top, left = draw.draw_choice(2, _SIDE, g).tolist()
    smaller, larger = max(round(_VIEW / min(h, w)), 1), max(round(min(h, w) / _VIEW), 1)
    smaller = min(smaller, 5)
    size = -(-h * smaller // larger), -(-w * smaller // larger)
    for axis, start, length in ((1, top, size[0]), (2, left, size[1])):
        if start + length <= _SIDE:
            sheet = sheet.narrow(axis, start, length)
        else:
            sheet = sheet.index_select(axis, torch.arange(start, start + length) % _SIDE)
    if smaller == larger:
        return sheet
    if smaller > 1:
        return F.avg_pool2d(sheet, smaller)
    return F.interpolate(sheet[None], size=(h, w), mode="bilinear", align_corners=False)[0]


@lru_cache(maxsize=SHEETS)
def ice_sheet(number: int) -> Tensor:
    """Sheet 0 (darkest) to 5 (brightest), ``3 x 512 x 512`` in [0, 1]: needles over dense and thin places."""
    light = number / (SHEETS - 1)
    seeds = torch.tensor([draw.child_seed(0, "ice sheet", number)])
    noise = torch.fft.rfft2(draw.normal_fields(seeds, (_DIRECTIONS + 1, _SIDE, _SIDE))[0])
    fy, fx = torch.fft.fftfreq(_SIDE)[:, None], torch.fft.rfftfreq(_SIDE)
    distance = torch.hypot(fy, fx).clamp(min=1 / _SIDE)
    clouds = torch.fft.irfft2(noise[-1] * distance**-1.3)
    crystals = torch.full_like(clouds, -torch.inf)
    g = draw.generator(int(seeds))
    for waves in noise[:-1]:
        angle, long, thick = draw.draw_uniform(3, 0, 1, g).tolist()
        along = fx * math.cos(math.pi * angle) + fy * math.sin(math.pi * angle)
        across = fy * math.cos(math.pi * angle) - fx * math.sin(math.pi * angle)
        spread = (along * (8 + 16 * long)) ** 2 + (across * (0.5 + thick)) ** 2
        needles = torch.fft.irfft2(waves * torch.exp(-0.5 * (2 * math.pi) ** 2 * spread))
        # Each direction reigns in regions of its own.
        region = torch.fft.irfft2(waves.roll(7, 0) * torch.exp(-0.5 * (2 * math.pi * 30 * distance) ** 2))
        crystals = torch.maximum(crystals, _standard(needles) + _standard(region))
    relief = _standard(_standard(crystals) + _CLOUDS * _standard(clouds))
    dark, bright = (torch.tensor(c).view(3, 1, 1) for c in _COLOURS)
    low, high = _CONTRASTS
    return (dark + light * (bright - dark) + (low + light * (high - low)) * relief).clamp(0, 1)


def _standard(plane: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1."""
    return (plane - plane.mean()) / plane.std()
