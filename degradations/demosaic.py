"""The colour filter of a sensor and how its gaps are filled in (Malvar, He & Cutler 2004)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.degradations.blur import pad
from restore.errors import unknown

# Eighths: green at red or blue, a colour at green along its row, a colour at its opposite.
_MALVAR = (
    ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0)),
    ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0)),
    ((0, 0, -1.5, 0, 0), (0, 2, 0, 2, 0), (-1.5, 0, 6, 0, -1.5), (0, 2, 0, 2, 0), (0, 0, -1.5, 0, 0)),
)
_BILINEAR = (
    ((0, 0, 0, 0, 0), (0, 0, 2, 0, 0), (0, 2, 0, 2, 0), (0, 0, 2, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 4, 0, 4, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 2, 0, 2, 0), (0, 0, 0, 0, 0), (0, 2, 0, 2, 0), (0, 0, 0, 0, 0)),
)  # fmt: skip
KINDS = {"malvar": _MALVAR, "bilinear": _BILINEAR}


def mosaic(x: Tensor) -> Tensor:
    """What an RGGB filter lets through: ``B x 1 x H x W`` of ``B x 3 x H x W``."""
    plane = x[:, 1:2].clone()
    plane[..., 0::2, 0::2] = x[:, 0:1, 0::2, 0::2]
    plane[..., 1::2, 1::2] = x[:, 2:3, 1::2, 1::2]
    return plane


def demosaic(plane: Tensor, *, kind: str = "malvar") -> Tensor:
    """Fills in RGGB ``B x 1 x H x W`` (sides of at least 2) to ``B x 3 x H x W``; linear, 5 x 5 taps.

    Raises:
        UsageError: an unknown kind.
    """
    if kind not in KINDS:
        raise unknown("demosaicing", kind, KINDS)
    h, w = plane.shape[-2:]
    green, along, opposite = (
        torch.tensor(t, dtype=plane.dtype, device=plane.device) / 8 for t in KINDS[kind]
    )
    padded = pad(plane, 2 + h % 2, 2 + w % 2)
    # An odd side gets one more row or column of the right colour at its end only.
    padded = padded[..., h % 2 :, w % 2 :]
    out = plane.new_empty((len(plane), 3, h + h % 2, w + w % 2))
    places = {
        (0, 0): {1: green, 2: opposite},
        (0, 1): {0: along, 2: along.T},
        (1, 0): {0: along.T, 2: along},
        (1, 1): {1: green, 0: opposite},
    }
    for (row, column), wanted in places.items():
        own = ({0, 1, 2} - set(wanted)).pop()
        seen = padded[..., row : row + h + h % 2 + 3, column : column + w + w % 2 + 3]
        made = F.conv2d(seen, torch.stack(list(wanted.values()))[:, None], stride=2)
        out[:, own, row::2, column::2] = seen[:, 0, 2:-1:2, 2:-1:2]
        for i, channel in enumerate(wanted):
            out[:, channel, row::2, column::2] = made[:, i]
    return out[..., :h, :w]
