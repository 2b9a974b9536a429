"""How far the colours of a picture are off as a whole."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.image import GREY
from restore.metrics.psnr import pair


def colour_cast(x: Tensor, y: Tensor, *, border: int = 0) -> Tensor:
    """Distance of the mean chroma (Cb, Cr of BT.601, full range) of each image from that of its reference.

    Brightness and detail do not count, only a tint of the whole: white that has become yellow. Arguments and errors
    as :func:`restore.metrics.psnr`.

    Returns:
        B values in units of 255, float64; 0 for grey pictures.
    """
    a, b = pair(x, y, border=border)
    if a.shape[1] == 1:
        return torch.zeros(len(a), dtype=torch.float64, device=a.device)
    off = (a - b).mean((2, 3))
    luma = (off * off.new_tensor(GREY)).sum(1)
    return 255 * torch.hypot((off[:, 2] - luma) / 1.772, (off[:, 0] - luma) / 1.402)
