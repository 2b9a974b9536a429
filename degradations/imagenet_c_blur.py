"""The blurs of ImageNet-C (Hendrycks & Dietterich 2019), from its published formulas and tables.

Motion blur is one-sided and moves the picture: a test of robustness. For pairs to learn from use ``motion``
and ``defocus``, whose point spread functions are centred. Glass is in ``imagenet_c_move``.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.filters import each, extend, gaussian, shake, weigh, zoomed
from restore.degradations.knob import Knob
from restore.degradations.psf import gaussian_line

_NOTHING = 1e-9  # weights below it are left out


def gaussian_blur(x: Tensor, *, seed: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian of ``sigma`` pixels, the border continued."""
    return each(x, gaussian, sigma)


def defocus_blur(x: Tensor, *, seed: Tensor, radius: Tensor, alias: Tensor) -> Tensor:
    """A disc, 0 or 1 per pixel (one pixel below radius 1), softened by a Gaussian of sigma ``alias``: 3 taps up to
    radius 8, else 5. Mirrored at the border.

    The published kernel ends with the disc at radii of 8 and 10 and is mirrored there before it is softened, so that
    it sums to 1.01: a slip that is not repeated here.
    """

    def one(x: Tensor, radius: float, alias: float) -> Tensor:
        h, w = x.shape[-2:]
        reach, taps = int(radius), 1 if radius <= 8 else 2
        line = [k for k in gaussian_line(alias, radius=taps).tolist() if k > _NOTHING]
        taps = len(line) // 2
        # One column more on the left, where the running sums begin.
        padded = extend(x, reach + taps, reach + 1 + taps, edge="mirror")
        tall, wide = h + 2 * reach, w + 2 * reach + 2
        if taps:
            padded = weigh([(t, 0, k) for t, k in enumerate(line)], padded, tall, padded.shape[-1])
            padded = weigh([(0, t, k) for t, k in enumerate(line)], padded, tall, wide)
        sums = padded.cumsum(-1)
        halves = [math.isqrt(int(radius**2 - dy**2)) for dy in range(reach + 1)]
        total = x.new_zeros(x.shape)
        for half in sorted(set(halves)):
            # Every row of a disc is a run, the difference of two running sums, and many rows have the same.
            end = reach + 1 + half
            runs = sums[..., end : end + w] - sums[..., reach - half : reach - half + w]
            first, count = halves.index(half), halves.count(half)
            if first == 0:
                total += _together(runs, 2 * count - 1)[:, reach + 1 - count :][:, :h]
                continue
            stack = _together(runs, count)
            total += stack[:, reach + first :][:, :h]
            total += stack[:, reach - first - count + 1 :][:, :h]
        return total / (2 * sum(2 * half + 1 for half in halves) - 2 * halves[0] - 1)

    return each(x, one, radius, alias)


def _together(planes: Tensor, count: int) -> Tensor:
    """``C x H x W`` to ``C x (H - count + 1) x W``: the sums of ``count`` rows that follow each other."""
    if count == 1:
        return planes
    half = _together(planes, count // 2)
    total = half[:, : half.shape[1] - count // 2] + half[:, count // 2 :]
    return total if count % 2 == 0 else total[:, :-1] + planes[:, count - 1 :]


def motion_blur(x: Tensor, *, seed: Tensor, radius: Tensor, sigma: Tensor, angle: Tensor) -> Tensor:
    """See :func:`shake`.

    Args:
        radius: B half lengths, pixels.
        sigma: B sigmas of the fading, pixels.
        angle: B angles, degrees.
    """
    return each(x, shake, radius, sigma, angle)


def zoom_blur(x: Tensor, *, seed: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """The mean of the picture and of itself enlarged by 1, 1 + step, ... below ``end``."""

    def one(x: Tensor, end: float, step: float) -> Tensor:
        factors = np.arange(1, end, step).tolist()
        total = x.clone()
        for factor in factors:
            total += zoomed(x, factor)
        return total / (len(factors) + 1)

    return each(x, one, end, step)


GAUSSIAN = Degradation(
    "gaussian_blur",
    gaussian_blur,
    {
        "sigma": Knob(
            "standard deviation, pixels",
            span=(0.4, 6.0),
            legal=(0.0, 200.0),
            levels={32: (0.4, 0.6, 0.7, 0.8, 1.0), 64: (0.5, 0.75, 1.0, 1.25, 1.5), 224: (1, 2, 3, 4, 6)},
            is_length=True,
        )
    },
)
DEFOCUS = Degradation(
    "defocus_blur",
    defocus_blur,
    {
        "radius": Knob(
            "radius of the disc, pixels",
            span=(0.3, 10.0),
            legal=(0.0, 200.0),
            levels={32: (0.3, 0.4, 0.5, 1.0, 1.5), 64: (0.5, 1.0, 1.5, 2.5, 3.0), 224: (3, 4, 6, 8, 10)},
            is_length=True,
        ),
        "alias": Knob(
            "sigma of the Gaussian that softens the disc, pixels",
            legal=(0.0, 20.0),
            levels={
                32: (0.4, 0.5, 0.6, 0.2, 0.1),
                64: (0.6, 0.1, 0.1, 0.01, 0.1),
                224: (0.1, 0.5, 0.5, 0.5, 0.5),
            },
            default=0.5,
        ),
    },
)
MOTION = Degradation(
    "motion_blur",
    motion_blur,
    {
        "radius": Knob(
            "half the number of steps, pixels",
            span=(6, 20),
            legal=(0, 1000),
            levels={32: (6, 6, 6, 8, 9), 64: (10, 10, 10, 10, 12), 224: (10, 15, 15, 15, 20)},
            whole=True,
            is_length=True,
        ),
        "sigma": Knob(
            "sigma of the fading, pixels",
            span=(1.0, 15.0),
            legal=(0.0, 1000.0),
            levels={32: (1, 1.5, 2, 2, 2.5), 64: (1, 1.5, 2, 2.5, 3), 224: (3, 5, 8, 12, 15)},
            is_length=True,
        ),
        "angle": Knob("direction of the motion, degrees", span=(-45.0, 45.0), legal=(-360.0, 360.0)),
    },
)
_END_SMALL = (1.06, 1.11, 1.16, 1.21, 1.26)
ZOOM = Degradation(
    "zoom_blur",
    zoom_blur,
    {
        "end": Knob(
            "enlargement before which the series ends",
            span=(1.06, 1.31),
            legal=(1.0, 4.0),
            levels={32: _END_SMALL, 64: _END_SMALL, 224: (1.11, 1.16, 1.21, 1.26, 1.31)},
        ),
        "step": Knob(
            "from one enlargement to the next",
            legal=(0.001, 1.0),
            levels={32: (0.01,) * 5, 64: (0.01,) * 5, 224: (0.01, 0.01, 0.02, 0.02, 0.03)},
            default=0.01,
        ),
    },
)
