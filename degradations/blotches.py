"""Coloured blotches: what is left of sensor noise after demosaicing and a camera's denoising, most in the shadows."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.haze import each
from restore.degradations.knob import Knob
from restore.degradations.stamps import normal_plane
from restore.image import GREY, to_grey


def chroma_noise(
    x: Tensor, *, seed: Tensor, sigma: Tensor, size: Tensor, luma: Tensor, shadows: Tensor
) -> Tensor:
    """Correlated noise in the colours and less in luma, its deviation depending on the light; nothing is clipped.

    Args:
        sigma: B standard deviations of the colour differences at middle grey, in units of [0, 1].
        size: B sigmas of the correlation of colours, pixels; that of luma is half as wide, but 0.4 at least.
        luma: B deviations of luma over those of colours.
        shadows: B shares of the way to a deviation of (1.5 - v) instead of 1, v the grey.
    """
    made = []
    for part, (s, strong, wide, grey, dark) in zip(
        x.split(1), each(seed, sigma, size, luma, shadows), strict=True
    ):
        h, w = part.shape[-2:]
        narrow = max(wide / 2, 0.4)
        field = grey * _correlated(draw.child_seed(s, "luma"), h, w, narrow)[None]
        if part.shape[1] == 3:
            red, blue = (_correlated(draw.child_seed(s, c), h, w, wide) for c in ("red", "blue"))
            green = -(GREY[0] * red + GREY[2] * blue) / GREY[1]  # leaves luma as it is
            field = field + torch.stack([red, green, blue])
        level = 1 + dark * (0.5 - to_grey(part.detach()).clamp(0, 1))
        made.append(part + strong * level * field.to(part))
    return torch.cat(made)


def _correlated(seed: int, height: int, width: int, sigma: float) -> Tensor:
    """A normal field of deviation 1 in the mean, blurred by a Gaussian."""
    frame = min(int(3 * sigma + 0.5), max(height, width))
    field = normal_plane(seed, height + 2 * frame, width + 2 * frame)
    line = cv2.getGaussianKernel(2 * frame + 1, max(sigma, 0.05)).astype(np.float32)
    field = cv2.sepFilter2D(field, cv2.CV_32F, line, line) / float((line**2).sum())
    return torch.from_numpy(np.ascontiguousarray(field[frame : frame + height, frame : frame + width]))


# Ranges: [ours].
CHROMA_NOISE = Degradation(
    "chroma-noise",
    chroma_noise,
    {
        "sigma": Knob(
            "standard deviation at middle grey; in a name in units of 255",
            span=(2 / 255, 14 / 255),
            legal=(0.0, 2.0),
            levels={224: (3 / 255, 6 / 255, 11 / 255, 16 / 255, 24 / 255)},
            unit=1 / 255,
        ),
        "size": Knob("sigma of the correlation, pixels", span=(0.5, 4.0), legal=(0.0, 100.0)),
        "luma": Knob("deviation of luma over that of colours", span=(0.2, 1.0), legal=(0.0, 10.0)),
        "shadows": Knob("how much stronger in the shadows", span=(0.0, 1.0), legal=(0.0, 2.0)),
    },
)
TABLE = {d.name: d for d in (CHROMA_NOISE,)}
