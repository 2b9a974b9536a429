"""A whole picture, shrunk until the short side is small: what lies on pictures is looked for there.

Scratches and folds are as large as the picture has pixels; networks know them on small ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.models.resunet import pad_to
from restore.resample import imresize
from restore.tiling import Read

# The short side of what finders are shown: a little more than their fields in training (192). With 320, photographs of
# 720 pixels (held out from training) gained 2 to 3 dB less where they were scratched or folded, with 190 .5 dB less.
SIDE = 240
# Rows of the shrunk picture that are made at a time, and how many beside them Lanczos' kernel looks at.
_BAND, _AROUND = 64, 3


def times_to_shrink(height: int, width: int) -> int:
    """The whole number that brings the short side nearest to :data:`SIDE`; small pictures stay as they are."""
    return max(1, round(min(height, width) / SIDE))


def shrunk(read: Read, height: int, width: int, times: int) -> Tensor:
    """``B x C x ceil(h / times) x ceil(w / times)``, by Lanczos' kernel; one band of rows is in memory as float.

    Means over squares would be quicker, but what they leave of fine detail looks like drops and dust to a finder.
    """
    if times == 1:
        return read(0, height, 0, width).float()
    rows, bands = -(-height // times), []
    for top in range(0, rows, _BAND):
        bottom, first, last = min(rows, top + _BAND), max(0, top - _AROUND), min(rows, top + _BAND + _AROUND)
        band = pad_to(read(first * times, min(height, last * times), 0, width).float(), times)
        small = imresize(band, scale=1 / times, kernel="lanczos3")
        bands.append(small[..., top - first : bottom - first, :])
    return torch.cat(bands, 2)
