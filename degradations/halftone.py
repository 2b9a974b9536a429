"""Print: the picture as dots of ink on a rotated screen."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.image import to_grey

# Angles of the screens in degrees: cyan, magenta, yellow, black; a single ink stands at 45.
_ANGLES = {"c": 15.0, "m": 75.0, "y": 0.0, "k": 45.0}


def halftone(x: Tensor, *, seed: Tensor, pitch: Tensor, contrast: Tensor, inks: list[str]) -> Tensor:
    """Every ink's density against a screen of cosines; dots have an edge of a pixel.

    Where ink n covers a_n, light passes as 1 - a_n. Colour: C, M, Y are 1 - R, G, B with their common part
    taken out as black (full grey component replacement).

    Args:
        pitch: B distances of the dots, pixels; below 2 pixels counts as 2.
        contrast: B shares of the dots in what is seen, the rest being even ink (bled, or blurred by a scanner):
            0 leaves the picture as it is, 1 leaves dots alone.
        inks: B names: "colour", or "black" (one grey print).
    """
    rows = zip(x.split(1), pitch.tolist(), contrast.tolist(), inks, strict=True)
    return torch.cat([_one(part, p, c, kind) for part, p, c, kind in rows])


def screen(height: int, width: int, pitch: float, angle: float) -> Tensor:
    """Thresholds ``H x W`` in [0, 1], each value as often as another: cosines along two directions, ranked.

    Args:
        pitch: distance of the dots in pixels; angle: degrees.
    """
    w, a = 2 * math.pi / max(pitch, 2.0), math.radians(angle)
    y = torch.arange(height, dtype=torch.float64)
    x = torch.arange(width, dtype=torch.float64)
    # cos(px + qy) from cosines of rows and columns alone.
    p, q = w * math.cos(a), w * math.sin(a)
    first = torch.outer((q * y).cos(), (p * x).cos()) - torch.outer((q * y).sin(), (p * x).sin())
    second = torch.outer((p * y).cos(), (q * x).cos()) + torch.outer((p * y).sin(), (q * x).sin())
    mean = ((first + second) / 2).float()
    # The mean of two cosines piles up around 0; this evens it out to within 0.01.
    return 0.5 + torch.sign(mean) * _share(mean.abs()) / 2


def _share(v: Tensor) -> Tensor:
    """The share of a plane where the mean of two cosines lies within ``v`` of 0."""
    # A fit to its distribution, 0 at 0 and 1 at 1, within 0.008.
    return v * (2.2423 + v * (-4.1887 + v * (6.9237 + v * (-5.9604 + v * 1.9831))))


def _one(x: Tensor, pitch: float, contrast: float, inks: str) -> Tensor:
    """One sample ``1 x C x H x W``."""
    h, w = x.shape[-2:]
    edge = 2 / max(pitch, 2.0)  # thresholds rise by half of that from pixel to pixel

    def left(density: Tensor, ink: str) -> Tensor:
        """The light that passes the dots of one ink."""
        raster = screen(h, w, pitch, _ANGLES[ink]).to(x)
        # Narrower near white and black, so that the mean over all thresholds is the density itself.
        soft = (2 * torch.minimum(density, 1 - density)).clamp(1e-3, edge)
        dots = ((density - raster) / soft + 0.5).clamp(0, 1)
        return 1 - (density + contrast * (dots - density))

    if x.shape[1] == 1 or inks == "black":
        return left(1 - to_grey(x), "k").expand_as(x).contiguous()
    black = 1 - x.amax(1, keepdim=True)
    room = (1 - black).clamp(min=1e-3)
    inks_cmy = (1 - x - black) / room
    planes = [left(plane, ink) for plane, ink in zip(inks_cmy.split(1, 1), "cmy", strict=True)]
    return torch.cat(planes, 1) * left(black, "k")


# Pitches: [ours].
HALFTONE = Degradation(
    "halftone",
    halftone,
    {
        "pitch": Knob(
            "distance of the dots, pixels",
            span=(2.0, 5.0),
            legal=(0.0, 400.0),
            levels={224: (2.5, 3.0, 3.6, 4.3, 5.0)},
            is_length=True,
        ),
        "contrast": Knob(
            "share of the dots in what is seen",
            span=(0.4, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.3, 0.45, 0.62, 0.8, 1.0)},
        ),
        "inks": Knob("four inks or black alone", choices=("colour", "black"), default="colour"),
    },
)
