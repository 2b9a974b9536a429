"""Faults of single photosites: those that are stuck, and the colours that are guessed between them.

Nothing is clipped. Ranges and severities are our own design.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.demosaic import KINDS, demosaic, mosaic
from restore.degradations.knob import Knob


def dead_pixels(x: Tensor, *, seed: Tensor, amount: Tensor, hot: Tensor, channels: list[str]) -> Tensor:
    """Photosites that always read full (hot) or nothing (dead); at least one where ``amount`` is above 0.

    The same seed hits the same places, more of them as ``amount`` grows.

    Args:
        amount: B shares of the pixels.
        hot: B shares of the hit ones that are hot.
        channels: B names: "each" hits one channel (a photosite below its filter), "grey" all of a pixel.
    """
    y = x.clone()
    c, h, w = x.shape[1:]
    rows = zip(seed.tolist(), amount.tolist(), hot.tolist(), channels, strict=True)
    for i, (s, share, bright, kind) in enumerate(rows):
        count = max(round(share * h * w), 1) if share > 0 else 0
        u = draw.draw_uniform(4 * count, 0, 1, draw.generator(s)).view(count, 4).to(x.device)
        place = ((u[:, 0] * h).long(), (u[:, 1] * w).long())
        value = (u[:, 2] < bright).to(x)
        if kind == "grey":
            y[i, :, place[0], place[1]] = value.expand(c, -1)
        else:
            y[i, (u[:, 3] * c).long(), place[0], place[1]] = value
    return y


def demosaic_artefacts(x: Tensor, *, seed: Tensor, amount: Tensor, kind: list[str]) -> Tensor:
    """One colour per photosite (RGGB), the others guessed: zippers and false colours where detail is fine.

    A grey picture has no mosaic and stays as it is, and so does one that is narrower than 2 pixels.

    Args:
        amount: B shares of the error that are added; 1: the demosaiced picture.
        kind: B names: "bilinear", or "malvar" (Malvar, He & Cutler 2004).
    """
    if x.shape[1] == 1 or min(x.shape[-2:]) < 2:
        return x.clone()
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    rows = zip(wide.split(1), amount.tolist(), kind, strict=True)
    return torch.cat([part + a * (demosaic(mosaic(part), kind=k) - part) for part, a, k in rows]).to(x.dtype)


DEAD_PIXELS = Degradation(
    "dead-pixels",
    dead_pixels,
    {
        "amount": Knob(
            "share of the pixels that are hit",
            span=(1e-5, 1e-3),
            legal=(0.0, 1.0),
            levels={32: (0.002, 0.004, 0.008, 0.016, 0.032), 224: (0.0002, 0.0005, 0.001, 0.002, 0.004)},
        ),
        "hot": Knob("share of the hit ones that read full", legal=(0.0, 1.0), default=0.7),
        "channels": Knob("one channel of a pixel, or all", choices=("each", "grey"), default="each"),
    },
)
DEMOSAIC = Degradation(
    "demosaic",
    demosaic_artefacts,
    {
        "amount": Knob(
            "share of the error that is added; 1: the demosaiced picture",
            span=(0.5, 1.0),
            legal=(0.0, 4.0),
            levels={224: (0.4, 0.7, 1.0, 1.4, 2.0)},
        ),
        "kind": Knob("how the gaps are filled", choices=tuple(KINDS), default="bilinear"),
    },
)
TABLE = {d.name: d for d in (DEAD_PIXELS, DEMOSAIC)}
