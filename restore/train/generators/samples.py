"""Pictures that a generator makes from codes that are always the same, and a sheet of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.files import atomic_file
from restore.models.stylegan2 import StyleGAN2

SHEET = 10  # pictures along a side of the sample sheet


def sample_codes(net: StyleGAN2, count: int, seed: int) -> Tensor:
    """``count`` codes z, always the same for a seed."""
    g = draw.generator(draw.child_seed(seed, "samples"))
    return torch.randn(count, net.z_dim, generator=g).to(net.constant)


def make_pictures(net: StyleGAN2, z: Tensor) -> Tensor:
    """Pictures from codes, in [-1, 1], clamped, in batches."""
    with torch.inference_mode():
        return torch.cat([net(part).clamp(-1, 1) for part in z.split(100)])


def save_sheet(path: Path, net: StyleGAN2, *, seed: int) -> None:
    """A square of pictures without a gap, as 8-bit PNG."""
    from PIL import Image

    x = make_pictures(net, sample_codes(net, SHEET**2, seed))
    rows = x.view(SHEET, SHEET, *x.shape[1:]).permute(0, 3, 1, 4, 2)
    pixels = ((rows.cpu().numpy() + 1) * 127.5).round().astype(np.uint8)
    side = SHEET * net.resolution
    flat = pixels.reshape(side, side, net.channels)
    with atomic_file(path) as file:
        Image.fromarray(flat[:, :, 0] if net.channels == 1 else flat).save(file, "PNG")
