"""Keeps the local mean of a picture where a restorer has no reason to change it.

Networks read fine patterns (a checkerboard, dither, screentone) as noise or coding and answer with another brightness.
Removing noise, blocks or blur moves light over a few pixels but makes none: over about 20 pixels the mean of the answer
is that of the picture, but for what noise and coding themselves did to that mean. How much that may be shows in the
picture: it varies from place to place as well. So a change of the local mean far beyond its local variation is taken
back (a firm threshold, Gao and Bruce 1997); patterns have the same mean everywhere, and photographs vary, so they stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.resunet import pad_to

# Side of the cells whose means are compared, in input pixels, and how far a result depends on its neighbours: six
# cells and the rest of its own.
CELL = 4
REACH = 6 * CELL + CELL - 1
_LEVEL = 1 / 255
# Over two cells more and less, without what repeats every other cell (JPEG's blocks).
_WEIGHTS = (0.125, 0.25, 0.25, 0.25, 0.125)
# Pixels that the mean of noise over the window is an average of, square root; noise that denoisers were not trained on
# is no reason for more; and how many standard deviations of that mean are one.
_WINDOW, _STRONGEST, _DEVIATIONS = 17.0, 60 / 255, 4.0
# More than this share of pixels clipped, or this share at the other end as well, is a drawing and no clipped noise.
_MOST_CLIPPED, _BOTH_CLIPPED = (0.58, 0.7), (0.04, 0.12)
# A tone curve x + c x (1 - x) rises everywhere where |c| is below 1.
_CURVE = 0.9
# Where less light or darkness than this is left, not all is taken back: little of it would be spread far.
_FAINT = 0.12


@dataclass(frozen=True)
class LightRule:
    """How far a restorer may change the local mean, in units of 1/255. Twice as much is taken back completely.

    Args:
        least: where the picture's local mean does not vary.
        variation: how many times its local variation (standard deviation of means over 12 pixels, less their
            surroundings') is added to that.
        most: with any variation; for a denoiser that is told sigma, four standard deviations of the noise's mean.
    """

    least: float
    variation: float
    most: float


# By task. Who is not here may change light: darkness, haze, water, rain's veil, snow, and what is filled.
LIGHT_RULES: dict[str, LightRule] = {
    "denoise": LightRule(least=1.4, variation=9.0, most=20.0),
    "dejpeg": LightRule(least=1.4, variation=3.0, most=8.0),
    "deblur": LightRule(least=1.4, variation=3.0, most=8.0),
    "upscale": LightRule(least=1.0, variation=2.0, most=4.0),
    "downsampled": LightRule(least=1.0, variation=3.0, most=8.0),
}


def keep_local_mean(
    y: Tensor, x: Tensor, rule: LightRule, *, scale: int = 1, sigma: Tensor | None = None
) -> Tensor:
    """``y`` with the local means of ``x`` where they differ by more than ``rule`` accepts.

    Where something is taken back ``y`` is kept within [0, 1]: first by a tone curve, which leaves black and white, then
    by mixing with black or white. Elsewhere ``y`` is returned as it is. Windows equal the whole if they begin on
    multiples of ``CELL`` and overlap by ``REACH``.

    Args:
        y: the answer, ``B x C x (scale H) x (scale W)``.
        x: the picture, ``B x C x H x W``, any size.
        sigma: of the noise that was told to the restorer, B values in units of [0, 1]; where the picture is clipped,
            it may take back the light that clipping of this noise has made.
    """
    side = CELL * scale
    bounded = y.clamp(0, 1)
    theirs, ours = _cells(x, CELL), _cells(bounded, side)
    outside = _cells(y, side) - ours
    smooth_theirs = _smooth(theirs)
    moved = _smooth(ours) - smooth_theirs
    accepted = _accepted(theirs, rule, sigma)
    share = _firm(moved, accepted)
    always = torch.jit.is_tracing()
    if sigma is not None and (always or bool((share > 0).any())):
        lifted = _clipping_lift(x, ours, sigma)
        share = torch.minimum(share, _firm(_smooth(ours + lifted) - smooth_theirs, accepted))
    # What is wrong in one colour is trusted in none.
    share = share.amax(1, keepdim=True)
    bound = torch.maximum(share, _firm(_smooth(outside), accepted))
    if not always and not bool((bound > 0).any()):
        return y

    def at_pixels(cells: Tensor) -> Tensor:
        large = F.interpolate(cells, scale_factor=side, mode="bilinear", align_corners=False)
        return large[..., : y.shape[-2], : y.shape[-1]]

    y = y + at_pixels(bound) * (bounded - y)
    wanted = ours - share * (ours - theirs)
    middle = bounded * (1 - bounded)
    curve = ((wanted - ours) / _around(_cells(middle, side)).clamp(min=_LEVEL)).clamp(-_CURVE, _CURVE)
    bend = at_pixels(curve) * middle
    y, bounded = y + bend, bounded + bend
    for _ in range(2):  # the second time takes back what interpolation between cells has left
        ours = _cells(bounded, side)
        darker = at_pixels((ours - wanted).clamp(min=0) / ours.clamp(min=_FAINT))
        lighter = at_pixels((wanted - ours).clamp(min=0) / (1 - ours).clamp(min=_FAINT))
        change = lighter * (1 - bounded) - darker * bounded
        y, bounded = y + change, bounded + change
    return y


def _accepted(cells: Tensor, rule: LightRule, sigma: Tensor | None) -> Tensor:
    """How far the mean around each cell may be moved, in units of [0, 1]."""
    mean = _around(cells)
    # A tenth of a level keeps the root's gradient finite.
    variation = (_around((mean - _around(mean)).square()) + (0.1 * _LEVEL) ** 2).sqrt()
    accepted = rule.least * _LEVEL + rule.variation * variation
    if sigma is None:
        return accepted.clamp(max=rule.most * _LEVEL)
    most = _DEVIATIONS * sigma.view(-1, 1, 1, 1).clamp(max=_STRONGEST) / _WINDOW
    return torch.minimum(accepted, most.to(accepted).clamp(min=rule.least * _LEVEL))


def _clipping_lift(x: Tensor, cells: Tensor, sigma: Tensor) -> Tensor:
    """By how much clipped noise is expected to have changed the mean of each cell, whose true means are ``cells``."""
    sigma = sigma.view(-1, 1, 1, 1).to(cells).clamp(1e-6, _STRONGEST)
    black, white = (_smooth(_cells(at.to(x.dtype), CELL)) for at in (x <= 0, x >= 1))

    def lift(mean: Tensor, clipped: Tensor, opposite: Tensor) -> Tensor:
        z = mean.clamp(min=0) / sigma
        density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        share = torch.erfc(z / math.sqrt(2)) / 2  # of a normal distribution below 0
        plausible = (1 - _ramp(clipped, *_MOST_CLIPPED)) * (1 - _ramp(opposite, *_BOTH_CLIPPED))
        return sigma * (density - z * share) * plausible * (clipped / share.clamp(min=1e-3)).clamp(0, 1)

    return lift(cells, black, white) - lift(1 - cells, white, black)


def _cells(x: Tensor, side: int) -> Tensor:
    """Means over squares of ``side`` pixels, the last ones filled by repeating the edge. Two sums are thrice as fast as
    a pooling."""
    x = pad_to(x, side)
    batch, channels, height, width = x.shape
    rows = x.reshape(batch, channels, height // side, side, width).sum(3)
    return rows.view(batch, channels, height // side, width // side, side).sum(4) / side**2


def _around(cells: Tensor) -> Tensor:
    return F.avg_pool2d(cells, 3, 1, 1, count_include_pad=False)


def _smooth(cells: Tensor) -> Tensor:
    batch, channels, height, width = cells.shape
    weights = cells.new_tensor(_WEIGHTS)
    planes = F.pad(cells.reshape(-1, 1, height, width), (2, 2, 2, 2), mode="replicate")
    planes = F.conv2d(F.conv2d(planes, weights.view(1, 1, 1, 5)), weights.view(1, 1, 5, 1))
    return planes.reshape(batch, channels, height, width)


def _firm(moved: Tensor, accepted: Tensor) -> Tensor:
    """Which share of ``moved`` is taken back: none up to what is accepted, all from twice as much on."""
    return _ramp(moved.abs() / accepted, 1, 2)


def _ramp(x: Tensor, low: float, high: float) -> Tensor:
    """From 0 at ``low`` to 1 at ``high``, smoothly."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
