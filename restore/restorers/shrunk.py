"""A whole picture, shrunk until the short side is small: what lies on pictures is looked for there.

Scratches and folds are as large as the picture has pixels; networks know them on small ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.resunet import pad_to
from restore.resample import imresize
from restore.tiling import Read

# The short side of what finders are shown: a little more than their fields in training (192). With 320, photographs of
# 720 pixels (held out from training) gained 2 to 3 dB less where they were scratched or folded, with 190 .5 dB less.
SIDE = 240
# Rows of the shrunk picture that are made at a time, and how many beside them Lanczos' kernel looks at.
_BAND, _AROUND = 64, 3


def times_to_shrink(height: int, width: int, *, side: int = SIDE) -> int:
    """The whole number that brings the short side nearest to ``side``; small pictures stay as they are."""
    return max(1, round(min(height, width) / side))


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


def enlarged_at(maps: Tensor, place: Tensor) -> Tensor:
    """Maps of a shrunk picture, ``B x C x h x w``, at pixels of the picture: straight lines between its values.

    Args:
        place: of those pixels, ``B x 2 x H x W``, see :func:`restore.models.survey.place_of`.
    """
    where = torch.stack([place[:, 1], place[:, 0]], -1).to(maps) * 2 - 1
    return F.grid_sample(maps, where, mode="bilinear", padding_mode="border", align_corners=False)
