"""What a camera or an editor does to a developed picture: light denoising, sharpening, a tone curve."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations import colour
from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.image import to_grey

_GAMMA = 2.2  # exposure is changed in light taken for this power, as editors do


def sharpen(x: Tensor, *, seed: Tensor, radius: Tensor, amount: Tensor) -> Tensor:
    """Unsharp mask ``x + amount (x - G x)``, not clipped.

    Args:
        radius: B standard deviations of the Gaussian G, pixels.
        amount: B factors of the detail that is added.
    """
    rows = zip(x.split(1), radius.tolist(), amount.tolist(), strict=True)
    return torch.cat([part + a * (part - blurred(part, r)) for part, r, a in rows])


def camera_denoise(x: Tensor, *, seed: Tensor, strength: Tensor, chroma: Tensor) -> Tensor:
    """The light denoising of a camera: luma through a guided filter of itself (He et al. 2010), colours blurred.

    Args:
        strength: B deviations below which luma counts as noise, in units of [0, 1] (the root of the filter's eps).
        chroma: B standard deviations of the Gaussian on the differences to luma, pixels.
    """
    made = []
    for part, s, c in zip(x.split(1), strength.tolist(), chroma.tolist(), strict=True):
        luma = to_grey(part)
        smooth = _self_guided(luma, s * s) if s > 0 else luma
        made.append(smooth + blurred(part - luma, c) if part.shape[1] == 3 else smooth + (part - luma))
    return torch.cat(made)


def tone_curve(x: Tensor, *, seed: Tensor, exposure: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Exposure in light, an S-curve and saturation, as raw developers offer them; cut to [0, 1].

    Args:
        exposure: B stops; the light is taken for the power 2.2.
        contrast: B shares of the way from the straight line to the smoothstep 3 v^2 - 2 v^3; negative: flatter.
        saturation: B factors of what differs from the grey.
    """
    exposure, contrast, saturation = (v.to(x).view(-1, 1, 1, 1) for v in (exposure, contrast, saturation))
    y = (x * 2 ** (exposure / _GAMMA)).clamp(0, 1)
    y = colour.elementwise(lambda v: v * v * (3 - 2 * v), y) * contrast + y * (1 - contrast)
    grey = to_grey(y)
    return (grey + saturation * (y - grey)).clamp(0, 1)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """``1 x C x H x W`` through a Gaussian cut at 3 sigma, its border continued; below 0.05 pixels as it is."""
    if sigma < 0.05:
        return x
    reach = max(int(3 * sigma + 0.5), 1)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma) ** 2)
    line = (line / line.sum()).to(x)
    c = x.shape[1]
    y = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    y = F.conv2d(y, line.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return F.conv2d(y, line.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


def _self_guided(x: Tensor, eps: float, reach: int = 2) -> Tensor:
    """Guided filter of a plane by itself, windows of ``2 reach + 1`` pixels."""

    def mean(v: Tensor) -> Tensor:
        wide = F.pad(v, (reach, reach, reach, reach), mode="replicate")
        return F.avg_pool2d(wide, 2 * reach + 1, stride=1)

    m = mean(x)
    variance = (mean(x * x) - m * m).clamp(min=0)
    gain = variance / (variance + eps)
    return mean(gain) * x + mean(m - gain * m)


# Ranges: unsharp masks of cameras and web services; severities [ours].
SHARPEN = Degradation(
    "sharpen",
    sharpen,
    {
        "radius": Knob(
            "standard deviation of the Gaussian, pixels",
            span=(0.5, 1.5),
            legal=(0.0, 50.0),
            levels={224: (0.7, 0.8, 1.0, 1.2, 1.5)},
        ),
        "amount": Knob(
            "factor of the detail that is added",
            span=(0.3, 1.0),
            legal=(0.0, 10.0),
            levels={224: (0.3, 0.6, 1.0, 1.6, 2.5)},
        ),
    },
)
CAMERA_DENOISE = Degradation(
    "camera-denoise",
    camera_denoise,
    {
        "strength": Knob(
            "deviation below which luma counts as noise; in a name in units of 255",
            span=(2 / 255, 12 / 255),
            legal=(0.0, 1.0),
            levels={224: (3 / 255, 6 / 255, 10 / 255, 16 / 255, 25 / 255)},
            unit=1 / 255,
        ),
        "chroma": Knob(
            "blur of the colours, pixels",
            span=(0.0, 3.0),
            legal=(0.0, 50.0),
            levels={224: (0.7, 1.2, 1.8, 2.5, 3.5)},
        ),
    },
)
TONE_CURVE = Degradation(
    "tone-curve",
    tone_curve,
    {
        "exposure": Knob("exposure, stops", span=(-0.5, 0.5), legal=(-5.0, 5.0), default=0.0),
        "contrast": Knob(
            "share of the way to a smoothstep; negative: flatter",
            span=(-0.2, 0.6),
            legal=(-1.0, 2.0),
            levels={224: (0.2, 0.4, 0.6, 0.8, 1.0)},
        ),
        "saturation": Knob(
            "factor of the colourfulness",
            span=(0.8, 1.3),
            legal=(0.0, 5.0),
            levels={224: (1.1, 1.2, 1.3, 1.4, 1.6)},
        ),
    },
)
TABLE = {d.name: d for d in (SHARPEN, CAMERA_DENOISE, TONE_CURVE)}
