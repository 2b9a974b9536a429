"""Moire: a photograph of a screen, whose grid of coloured lines beats with the grid of the sensor."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.fields import uniforms
from restore.degradations.haze import each
from restore.degradations.knob import Knob
from restore.degradations.optics import places
from restore.degradations.stamps import smooth_plane


def moire(
    x: Tensor, *, seed: Tensor, amount: Tensor, period: Tensor, angle: Tensor, bend: Tensor, colour: Tensor,
    rows: Tensor,
) -> Tensor:  # fmt: skip
    """``x (1 + a b)`` with the beat b of two grids, fading in and out over the picture; not clipped.

    The beat of near grids is itself a grating, curved by the screen's tilt and the lens. The screen's colours lie side
    by side, so that each channel has its own phase.

    Args:
        amount: B amplitudes a.
        period: B distances of the bands in the middle of the picture, pixels.
        angle: B directions of the bands, degrees.
        bend: B curvatures: waves gained from the middle to a corner.
        colour: B shares of a third of a wave by which the channels are apart; 0: grey bands.
        rows: B amplitudes of a second grating across the first, over that of the first.
    """
    made = []
    columns = each(seed, amount, period, angle, bend, colour, rows)
    for part, (s, a, p, turn, curve, apart, second) in zip(x.split(1), columns, strict=True):
        u, v = places(part[0])
        half = math.hypot(*part.shape[-2:]) / 2 / p  # waves from the middle to a corner
        w = uniforms(draw.child_seed(s, "moire"), 8).tolist()
        c, d = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        along, across = u * c + v * d, v * c - u * d
        bow = curve * (
            (u - w[0] + 0.5) ** 2 + (2 * w[1] - 1) * (v - w[2] + 0.5) ** 2 + (2 * w[3] - 1) * u * v
        )
        shifts = torch.arange(part.shape[1]).to(part).view(-1, 1, 1) * (apart / 3)
        first = _grating(half * along + bow + w[4] + shifts)
        other = _grating((0.6 + 0.8 * w[5]) * half * across - bow + w[6] + shifts * (2 * w[7] - 1))
        weight = smooth_plane(draw.child_seed(s, "fading"), part.shape[-2], part.shape[-1], cells=1.5)
        beat = (first + second * other) / (1 + second) * torch.from_numpy(0.25 + 0.75 * weight).to(part)
        made.append(part * (1 + a * beat)[None])
    return torch.cat(made)


def _grating(waves: Tensor) -> Tensor:
    """A cosine and its second harmonic: lines of a screen are narrower than the gaps of three of them."""
    phase = 2 * math.pi * waves
    return 0.8 * torch.cos(phase) + 0.2 * torch.cos(2 * phase)


# Ranges: [ours].
MOIRE = Degradation(
    "moire",
    moire,
    {
        "amount": Knob(
            "amplitude of the bands",
            span=(0.06, 0.4),
            legal=(0.0, 1.0),
            levels={224: (0.06, 0.11, 0.17, 0.25, 0.35)},
        ),
        "period": Knob("distance of the bands, pixels", span=(3.0, 40.0), legal=(1.0, 10000.0)),
        "angle": Knob("direction of the bands, degrees", span=(0.0, 180.0), legal=(-360.0, 360.0)),
        "bend": Knob("waves gained from the middle to a corner", span=(0.0, 6.0), legal=(-100.0, 100.0)),
        "colour": Knob("how far the channels are apart", span=(0.2, 1.0), legal=(0.0, 3.0)),
        "rows": Knob("a second grating over the first", span=(0.0, 1.0), legal=(0.0, 10.0)),
    },
)
TABLE = {d.name: d for d in (MOIRE,)}
