"""Spatter of ImageNet-C (Hendrycks & Dietterich 2019): water or mud on the lens, from the published formulas."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.filters import each, gaussian
from restore.degradations.knob import Knob
from restore.image import GREY

_WATER = (175 / 255, 238 / 255, 238 / 255)
_MUD = (63 / 255, 42 / 255, 20 / 255)


def spatter(
    x: Tensor,
    *,
    seed: Tensor,
    mean: Tensor,
    std: Tensor,
    sigma: Tensor,
    threshold: Tensor,
    intensity: Tensor,
    mud: Tensor,
) -> Tensor:
    """Drops of water on the lens, lit at their rims, or splashes of mud.

    Args:
        mean, std: B parameters of the normal noise that becomes liquid where it is high.
        sigma: B sigmas of its blur, pixels.
        threshold: B values above which there is liquid.
        intensity: water: B brightnesses; mud: B sigmas, in pixels, of the blur of its edge.
        mud: B flags, 0 water and 1 mud.
    """

    def one(
        x: Tensor, seed: int, mean: float, std: float, sigma: float, cut: float, strength: float, mud: float
    ) -> Tensor:
        noise = draw.normal_fields(torch.tensor([draw.child_seed(seed, "spatter")]), (1, *x.shape[-2:]))[0]
        liquid = gaussian(noise * std + mean, sigma)
        if mud >= 0.5:
            cover = gaussian((liquid > cut).float(), strength)
            cover = torch.where(cover < 0.8, 0.0, cover).to(x)
            return x * (1 - cover) + _colour(_MUD, x) * cover
        drops = torch.where(liquid < cut, 0.0, liquid)[0].clamp(0, 1).numpy()
        shine = torch.from_numpy(_relief((drops * 255).astype(np.uint8)))[None].to(x)
        return x + strength * shine * _colour(_WATER, x)

    return each(x, one, seed, mean, std, sigma, threshold, intensity, mud)


def _colour(rgb: tuple[float, float, float], x: Tensor) -> Tensor:
    """A colour for a picture ``C x H x W`` of three channels, its grey for one."""
    values = rgb if len(x) == 3 else (sum(a * b for a, b in zip(rgb, GREY, strict=True)),)
    return x.new_tensor(values).view(-1, 1, 1)


def _relief(drops: np.ndarray) -> np.ndarray:
    """How bright drops (``H x W`` uint8, 0 where there are none) shine, at most 1, float32.

    The distance from their outlines (at most 20 px), equalised and embossed from the upper left, times their depth.
    """
    import cv2

    outline = cv2.Canny(drops, 50, 150)
    distance = np.minimum(cv2.distanceTransform(255 - outline, cv2.DIST_L2, 5), 20)
    level = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], dtype=np.float32)
    lit = cv2.blur(cv2.filter2D(level, cv2.CV_8U, emboss), (3, 3))
    shine = drops * lit.astype(np.float32)
    return shine / max(float(shine.max()), 1e-6)


SPATTER = Degradation(
    "spatter",
    spatter,
    {
        "mean": Knob(
            "mean of the noise",
            span=(0.62, 0.67),
            legal=(-5.0, 5.0),
            levels={
                32: (0.62, 0.65, 0.65, 0.65, 0.65),
                64: (0.62, 0.65, 0.65, 0.65, 0.65),
                224: (0.65, 0.65, 0.65, 0.65, 0.67),
            },
        ),
        "std": Knob(
            "deviation of the noise",
            span=(0.1, 0.4),
            legal=(0.0, 5.0),
            levels={
                32: (0.1, 0.1, 0.3, 0.1, 0.1),
                64: (0.1, 0.1, 0.3, 0.1, 0.1),
                224: (0.3, 0.3, 0.3, 0.3, 0.4),
            },
        ),
        "sigma": Knob(
            "sigma of its blur, pixels",
            span=(0.5, 4.0),
            legal=(0.0, 200.0),
            levels={32: (0.7, 0.8, 1, 0.7, 0.5), 64: (0.7, 0.8, 1, 0.7, 0.5), 224: (4, 3, 2, 1, 1)},
            is_length=True,
        ),
        "threshold": Knob(
            "above it there is liquid",
            span=(0.65, 0.7),
            legal=(-5.0, 5.0),
            levels={
                32: (0.7, 0.7, 0.69, 0.69, 0.68),
                64: (0.7, 0.7, 0.69, 0.68, 0.67),
                224: (0.69, 0.68, 0.68, 0.65, 0.65),
            },
        ),
        "intensity": Knob(
            "brightness of water; sigma of the blur of mud's edge, pixels",
            span=(0.5, 1.5),
            legal=(0.0, 50.0),
            levels={32: (0.5, 0.5, 0.5, 0.6, 0.6), 64: (0.6,) * 5, 224: (0.6, 0.6, 0.5, 1.5, 1.5)},
        ),
        "mud": Knob("0 water, 1 mud", span=(0, 1), legal=(0, 1), levels={224: (0, 0, 0, 1, 1)}, whole=True),
    },
)
