"""1,797 handwritten digits that travel with the package, so that a first judgement needs nobody's data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch

from restore.downstream.labelled.base import Labelled
from restore.resample import imresize

FILE = Path(__file__).parent / "digits.npz"
SIDE = 32


@cache
def digits() -> Labelled:
    """The digits at 32 x 32, grey, white on black.

    E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits (test part), UCI Machine Learning Repository
    1998, CC BY 4.0: 8 x 8 counts from 0 to 16, here enlarged bicubically and clipped to [0, 1].
    """
    with np.load(FILE) as held:
        small = torch.from_numpy(held["counts"].astype(np.float32))[:, None] / 16
        labels = held["labels"].astype(np.int64)
    large = imresize(small, size=(SIDE, SIDE)).clamp(0, 1)
    return Labelled(
        name="digits",
        ids=[f"digit-{i:04d}" for i in range(len(labels))],
        labels=labels,
        read=lambda i: large[i],
        classes=[str(i) for i in range(10)],
        note="8 x 8 digits enlarged to 32 x 32: enough to try the protocol, not to choose a restorer for photographs",
    )
