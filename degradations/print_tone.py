"""The tones of an old print: grey or tinted, flat, dark at its edges; or colours gone to one side."""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.haze import each
from restore.degradations.knob import Knob
from restore.degradations.optics import places
from restore.image import to_grey


def print_tone(
    x: Tensor, *, seed: Tensor, mono: Tensor, saturation: Tensor, hue: Tensor, tint: Tensor, black: Tensor,
    white: Tensor, gamma: Tensor, edges: Tensor,
) -> Tensor:  # fmt: skip
    """Colours to grey and to a tint, contrast from ``black`` to ``white``, darker or lighter edges; cut to [0, 1].

    Args:
        mono: B shares of the way to grey.
        saturation: B factors of the colours that are left.
        hue, tint: B hues in degrees and saturations of what the greys become.
        black, white: B values that 0 and 1 become.
        gamma: B exponents of the values before.
        edges: B shares of their lightness that the corners lose; negative: bleached.
    """
    made = []
    columns = each(mono, saturation, hue, tint, black, white, gamma, edges)
    for part, (m, s, h, t, low, high, g, e) in zip(x.split(1), columns, strict=True):
        y = part.clamp(0, 1)
        y = y if g == 1 else y.clamp(min=1e-6) ** g
        grey = to_grey(y)
        y = grey + (1 - m) * s * (y - grey)
        y = low + (high - low) * y
        if part.shape[1] == 3 and t:
            paper = torch.tensor(colorsys.hsv_to_rgb(h / 360 % 1, t, 1.0)).to(y)
            y = y * (paper / to_grey(paper.view(1, 3, 1, 1)).squeeze()).view(1, 3, 1, 1)
        if e:
            u, v = places(part[0])
            r = (u * u + v * v).to(y)
            y = y * (1 - e * r) if e > 0 else y + (-e * r) * (high - y)
        made.append(y.clamp(0, 1))
    return torch.cat(made)


# Ranges: [ours].
PRINT_TONE = Degradation(
    "print-tone",
    print_tone,
    {
        "mono": Knob(
            "share of the way to grey", legal=(0.0, 1.0), levels={224: (0.2, 0.4, 0.6, 0.8, 1.0)}, span=(0, 1)
        ),
        "saturation": Knob("of the colours that are left", span=(0.3, 1.0), legal=(0.0, 3.0)),
        "hue": Knob("of what greys become, degrees", span=(20.0, 70.0), legal=(0.0, 360.0)),
        "tint": Knob(
            "saturation of what greys become",
            span=(0.05, 0.45),
            legal=(0.0, 1.0),
            levels={224: (0.08, 0.14, 0.2, 0.28, 0.4)},
        ),
        "black": Knob(
            "what black becomes",
            span=(0.0, 0.22),
            legal=(0.0, 1.0),
            levels={224: (0.03, 0.07, 0.11, 0.16, 0.22)},
        ),
        "white": Knob(
            "what white becomes",
            span=(0.7, 1.0),
            legal=(0.0, 1.0),
            levels={224: (0.97, 0.93, 0.88, 0.83, 0.76)},
        ),
        "gamma": Knob("exponent of the values before", span=(0.7, 1.4), legal=(0.1, 5.0)),
        "edges": Knob("what corners lose; negative: bleached", span=(-0.25, 0.4), legal=(-1.0, 1.0)),
    },
)
TABLE = {d.name: d for d in (PRINT_TONE,)}
