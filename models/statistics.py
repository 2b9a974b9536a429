"""Numbers that tell what is wrong with a picture, written down by hand: no weights, only fixed filters.

Of windows at full resolution: differences in four directions at four scales (strength, tails, skew, direction), the
spread of quiet and of busy places, block borders on a grid of eight pixels whatever its offset, empty frequencies of
the aligned 8 x 8 cosine transform, flat neighbours, thin bright and dark things, the radial spectrum. Of a thumbnail:
quantiles of light, dark channel, bright channel and saturation, and the colours.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

THUMBNAIL = 96
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SCALES = 4
_BLOCK = 8
_FLOOR = 1e-4  # values far below half a step of 8 bits are all alike
_BANDS = 8


def window_statistics(x: Tensor) -> Tensor:
    """``N x WINDOW_STATISTICS`` from windows ``N x 3 x H x W`` in [0, 1], each side at least 96 pixels."""
    x = x.float()
    y = x.mean(1, keepdim=True)
    found = [*_differences(y), *_colour(x, y), *_places(y), *_grid(x, y), *_frequencies(y), *_thin(y)]
    return torch.stack([*found, *_spectrum(y).unbind(1)], 1)


def thumbnail(x: Tensor) -> Tensor:
    """``x`` shrunk (antialiased, bilinear) so that its short side has 96 pixels; never enlarged."""
    scale = THUMBNAIL / min(x.shape[-2:])
    if scale >= 1:
        return x
    height, width = (max(THUMBNAIL, round(side * scale)) for side in x.shape[-2:])
    return F.interpolate(x, size=(height, width), mode="bilinear", antialias=True, align_corners=False)


def light_statistics(small: Tensor) -> Tensor:
    """``B x LIGHT_STATISTICS`` from thumbnails ``B x 3 x h x w``."""
    small = small.float()
    luma, bright = small.mean(1), small.amax(1)
    dark = -F.max_pool2d(-small.amin(1)[:, None], 5, stride=1, padding=2)[:, 0]
    planes = [luma, dark, bright, (bright - small.amin(1)) / (bright + 0.05)]
    q = small.new_tensor(QUANTILES)
    quantiles = [torch.quantile(p.flatten(1), q, dim=1).T for p in planes]
    mean, spread = small.mean((2, 3)), small.std((2, 3))
    casts = torch.stack([mean[:, 0] - mean[:, 1], mean[:, 2] - mean[:, 1], mean.amin(1)], 1)
    logs = torch.log(torch.cat([mean, spread], 1) + 0.005) / 3
    return torch.cat([*quantiles, mean, spread, casts, logs], 1)


def _log(x: Tensor) -> Tensor:
    return torch.log(x + _FLOOR) / 3


def _moments(d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Strength, weight of the tails and skew of a plane of differences."""
    axes = (1, 2, 3)
    square = d.square().mean(axes)
    strength = d.abs().mean(axes)
    tails = (d.square().square().mean(axes) + 1e-12).sqrt() / (square + 1e-6)
    skew = d.pow(3).mean(axes) / (square + 1e-6).pow(1.5)
    return _log(strength), torch.log(tails + 0.1) / 2, skew.clamp(-6, 6) / 3


def _differences(y: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    level = y
    before: Tensor | None = None
    for _ in range(_SCALES):
        across, down = level[..., :, 1:] - level[..., :, :-1], level[..., 1:, :] - level[..., :-1, :]
        one, two = level[..., 1:, 1:] - level[..., :-1, :-1], level[..., 1:, :-1] - level[..., :-1, 1:]
        bend = level[..., 1:-1, 1:-1] - F.avg_pool2d(level, 3, stride=1)
        for d in (across, down, one, two):
            found += _moments(d)[:2]
        parts = _moments(bend)
        found += parts
        if before is not None:
            found.append(parts[0] - before)
        before = parts[0]
        gx, gy = across[..., 1:, :], down[..., :, 1:]
        xx, yy, xy = (p.mean((1, 2, 3)) for p in (gx * gx, gy * gy, gx * gy))
        energy = xx + yy + 1e-7
        found += [(xx - yy) / energy, 2 * xy / energy, (((xx - yy) ** 2 + 4 * xy**2).sqrt() / energy)]
        # How far the directions of one neighbourhood agree: streaks and motion do, grain does not.
        local = [F.avg_pool2d(p, 9, stride=4) for p in (gx * gx, gy * gy, gx * gy)]
        agree = ((local[0] - local[1]) ** 2 + 4 * local[2] ** 2).sqrt() / (local[0] + local[1] + 1e-6)
        found.append(agree.mean((1, 2, 3)))
        level = F.avg_pool2d(level, 2)
    return found


def _colour(x: Tensor, y: Tensor) -> list[Tensor]:
    found = []
    for plane in (x[:, :1] - y, x[:, 2:] - y):
        for level in (plane, F.avg_pool2d(plane, 2), F.avg_pool2d(plane, 4)):
            found.append(
                _log((level[..., 1:-1, 1:-1] - F.avg_pool2d(level, 3, stride=1)).abs().mean((1, 2, 3)))
            )
    return found


def _places(y: Tensor) -> list[Tensor]:
    """Quantiles of the local spread: the quietest places show noise, the busiest what blur has left."""
    found = []
    for level in (y, F.avg_pool2d(y, 2)):
        bend = level[..., 1:-1, 1:-1] - F.avg_pool2d(level, 3, stride=1)
        spread = F.avg_pool2d(bend.square(), _BLOCK).flatten(1).sqrt()
        light = F.avg_pool2d(level[..., 1:-1, 1:-1], _BLOCK).flatten(1)
        q = torch.quantile(spread, spread.new_tensor([0.02, 0.1, 0.3, 0.5, 0.8, 0.98]), dim=1)
        found += [_log(part) for part in q]
        a, b = spread - spread.mean(1, keepdim=True), light - light.mean(1, keepdim=True)
        found.append((a * b).mean(1) / (a.square().mean(1).sqrt() * b.square().mean(1).sqrt() + 1e-5))
    for d in (y[..., :, 1:] - y[..., :, :-1], y[..., 1:, :] - y[..., :-1, :]):
        found += [(d.abs() < t / 255).float().mean((1, 2, 3)) for t in (0.5, 1.5)]
    return found


def _grid(x: Tensor, y: Tensor) -> list[Tensor]:
    """How far the strongest of eight phases of the columns and of the rows stands out, in luma and two of colour."""
    found = []
    for plane in (y, x[:, :1] - y, x[:, 2:] - y):
        for p in (plane, plane.transpose(-1, -2)):
            step = (p[..., 1:] - p[..., :-1]).abs()
            jump = step[..., 1:-1] - 0.5 * (step[..., :-2] + step[..., 2:])
            n = jump.shape[-1] // _BLOCK * _BLOCK
            phases = jump[..., :n].unflatten(-1, (n // _BLOCK, _BLOCK)).mean((1, 2, 3))
            top = phases.topk(2, dim=1).values
            usual = step.mean((1, 2, 3)) + 0.002
            found += [
                torch.log1p(20 * (top[:, 0] - phases.median(1).values) / usual),
                (top[:, 0] - top[:, 1]) / usual,
            ]
    return found


def _frequencies(y: Tensor) -> list[Tensor]:
    """Shares of almost empty coefficients of the 8 x 8 cosine transform on the window's own grid, by frequency."""
    n = torch.arange(_BLOCK, dtype=y.dtype, device=y.device)
    basis = torch.cos(math.pi / _BLOCK * (n + 0.5) * n[:, None]) * math.sqrt(2 / _BLOCK)
    basis[0] /= math.sqrt(2)
    h, w = (s // _BLOCK * _BLOCK for s in y.shape[-2:])
    blocks = y[:, 0, :h, :w].unflatten(2, (w // _BLOCK, _BLOCK)).unflatten(1, (h // _BLOCK, _BLOCK))
    c = torch.einsum("ui,bpiqj,vj->bpquv", basis, blocks, basis).flatten(1, 2).abs() * 255
    order = n[:, None] + n
    found = []
    for low, high in ((1, 2), (3, 4), (5, 7), (8, 14)):
        band = c[:, :, (order >= low) & (order <= high)]
        found += [(band < 1.0).float().mean((1, 2)), torch.log(band.mean((1, 2)) + 0.05) / 3]
    return found


def _thin(y: Tensor) -> list[Tensor]:
    """Things thinner than about 3, 5 and 10 pixels that are brighter or darker than what is around them."""
    found = []
    for level, size in ((y, 3), (y, 5), (F.avg_pool2d(y, 2), 5)):
        for sign in (1.0, -1.0):
            p = sign * level
            # What opening takes away; rows and columns one after the other, by shifted maxima.
            hat = p[..., size - 1 : 1 - size, size - 1 : 1 - size] - _largest(-_largest(-p, size), size)
            flat = hat[..., ::2, ::2].flatten(1)
            q = torch.quantile(flat, flat.new_tensor([0.9, 0.995]), dim=1)
            found += [_log(flat.mean(1)), _log(q[0]), _log(q[1])]
    return found


def _largest(p: Tensor, size: int) -> Tensor:
    """The largest value of every ``size x size`` window that fits: ``size - 1`` rows and columns fewer."""
    for axis in (-1, -2):
        n = p.shape[axis] - size + 1
        best = p.narrow(axis, 0, n)
        for k in range(1, size):
            best = torch.maximum(best, p.narrow(axis, k, n))
        p = best
    return p


def _spectrum(y: Tensor) -> Tensor:
    """``N x 8``: mean logarithm of the power in rings from zero to half a cycle per pixel."""
    side = min(min(y.shape[-2:]), 128)
    top, left = (y.shape[-2] - side) // 2, (y.shape[-1] - side) // 2
    part = y[:, 0, top : top + side, left : left + side]
    hann = torch.hann_window(side, periodic=False, dtype=y.dtype, device=y.device)
    part = (part - part.mean((1, 2), keepdim=True)) * hann * hann[:, None]
    power = torch.fft.rfft2(part, norm="ortho").abs().square()
    fy, fx = torch.fft.fftfreq(side, device=y.device), torch.fft.rfftfreq(side, device=y.device)
    ring = ((fy[:, None] ** 2 + fx**2).sqrt() * 2 * _BANDS).long().clamp(max=_BANDS - 1)
    log = torch.log(power + 1e-7) / 6
    return torch.stack([log[:, ring == k].mean(1) for k in range(_BANDS)], 1)


WINDOW_STATISTICS = _SCALES * (8 + 3 + 4) + (_SCALES - 1) + 6 + 2 * 7 + 4 + 12 + 8 + 18 + _BANDS
LIGHT_STATISTICS = 4 * len(QUANTILES) + 9 + 6
