"""Fading: dyes bleach, paper yellows, blacks turn grey."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.image import to_grey

# What paper and dyes turn to: factors of the channels.
_YELLOW = (1.0, 0.90, 0.66)
_SEPIA = (1.07, 0.94, 0.74)


def fade(
    x: Tensor,
    *,
    seed: Tensor,
    black: Tensor,
    white: Tensor,
    saturation: Tensor,
    yellow: Tensor,
    sepia: Tensor,
) -> Tensor:
    """Saturation, sepia, contrast from ``black`` to ``white``, and yellowing, in this order; nothing is clipped.

    A grey picture changes in lightness alone.

    Args:
        black, white: B values that 0 and 1 become.
        saturation: B factors of what differs from the grey.
        yellow: B shares of the way to the factors (1, 0.90, 0.66).
        sepia: B shares of the way to a toned grey.
    """
    black, white, saturation, yellow, sepia = (
        t.to(x).view(-1, 1, 1, 1) for t in (black, white, saturation, yellow, sepia)
    )
    grey = to_grey(x)
    y = grey + saturation * (x - grey)
    y = y + sepia * (grey * _factors(_SEPIA, x) - y)
    y = black + (white - black) * y
    return y * (1 + yellow * (_factors(_YELLOW, x) - 1))


def _factors(rgb: tuple[float, float, float], x: Tensor) -> Tensor:
    """Factors ``1 x C x 1 x 1``."""
    factors = torch.tensor(rgb, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return factors if x.shape[1] == 3 else to_grey(factors)


# Ranges: [ours].
FADE = Degradation(
    "fade",
    fade,
    {
        "black": Knob(
            "what black becomes",
            span=(0.05, 0.25),
            legal=(0.0, 1.0),
            levels={224: (0.06, 0.11, 0.16, 0.21, 0.27)},
        ),
        "white": Knob(
            "what white becomes",
            span=(0.7, 0.95),
            legal=(0.0, 1.0),
            levels={224: (0.96, 0.92, 0.87, 0.82, 0.76)},
        ),
        "saturation": Knob(
            "factor of the colourfulness",
            span=(0.1, 0.8),
            legal=(0.0, 1.0),
            levels={224: (0.8, 0.6, 0.45, 0.3, 0.15)},
        ),
        "yellow": Knob(
            "yellowing, 0 to 1",
            span=(0.1, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.2, 0.4, 0.6, 0.8, 1.0)},
        ),
        "sepia": Knob("share of a toned grey, 0 to 1", span=(0.0, 1.0), legal=(0.0, 1.0), default=0.0),
    },
)
