"""Pictures of none of the classes: embedded photographs cut into pieces, and other embedded collections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from restore.downstream.labelled.base import Labelled
from restore.image import array_to_tensor, to_grey
from restore.resample import imresize

SAMPLES = Path(__file__).parents[2] / "samples"


def photograph_pieces(*, side: int, channels: int, count: int = 200, window: int = 96) -> Labelled:
    """Windows of the packaged sample photographs, reduced to ``side`` x ``side``; far from digits and clothes.

    Args:
        count: how many, spread evenly over the photographs; neighbours overlap.
        window: side of a window in the photograph, pixels.
    """
    pieces: list[torch.Tensor] = []
    names: list[str] = []
    files = sorted(SAMPLES.glob("*.png"))
    for f, file in enumerate(files):
        x = array_to_tensor(np.asarray(Image.open(file).convert("RGB")))
        wanted = count // len(files) + (f < count % len(files))
        cut_side = min(window, *x.shape[-2:])
        height, width = (s - cut_side for s in x.shape[-2:])
        columns = max(1, round((wanted * width / max(height, 1)) ** 0.5))
        rows = -(-wanted // columns)
        for i in range(wanted):
            top = round(height * (i // columns) / max(rows - 1, 1))
            left = round(width * (i % columns) / max(columns - 1, 1))
            cut = x[..., top : top + cut_side, left : left + cut_side]
            pieces.append(imresize(cut, size=(side, side)).clamp(0, 1)[0])
            names.append(f"{file.stem}-{top}-{left}")
    held = torch.stack(pieces)
    if channels == 1:
        held = to_grey(held)
    unique = [f"{i:03d}-{name}" for i, name in enumerate(names)]
    return Labelled(
        name="photograph-pieces",
        ids=unique,
        labels=np.zeros(len(held), np.int64),
        read=lambda i: held[i],
        classes=["none"],
        note="far",
    )
