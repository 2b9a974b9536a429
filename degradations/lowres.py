"""Too few pixels for its size: a picture that was small and has been enlarged again."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.resample import imresize

WAYS_BACK = ("bicubic", "bilinear", "lanczos3", "nearest")


def low_resolution(x: Tensor, *, seed: Tensor, factor: Tensor, back: list[str]) -> Tensor:
    """Shrinks by ``factor`` (antialiased bicubic, as MATLAB's ``imresize``) and enlarges to the old size.

    Args:
        factor: B factors of 1 or more along each side; 1 is the identity.
        back: B kernels of the enlargement, from ``WAYS_BACK``.
    """
    h, w = x.shape[-2:]
    made = []
    for part, f, kernel in zip(x.split(1), factor.tolist(), back, strict=True):
        size = (max(round(h / f), 1), max(round(w / f), 1))
        small = part if size == (h, w) else imresize(part, size=size)
        made.append(part.clone() if size == (h, w) else imresize(small, size=(h, w), kernel=kernel))
    return torch.cat(made)


LOW_RESOLUTION = Degradation(
    "low-resolution",
    low_resolution,
    {
        "factor": Knob(
            "by which each side was smaller",
            span=(1.5, 4.0),
            legal=(1.0, 64.0),
            levels={224: (1.5, 2.0, 2.5, 3.0, 4.0)},
        ),
        "back": Knob("kernel of the enlargement", choices=WAYS_BACK, default="bicubic"),
    },
)
