"""What lies on a picture (scratches, dust, folds), asked of the shipped finder: where it is.

Marks are as wide as the print was scanned finely, and the finder knows those of small pictures: it looks at the whole
picture at once, shrunk until the short side is about 240 pixels, whatever its size.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from restore.models.finder import Finder
from restore.models.registry import load_shipped
from restore.restorers.shrunk import shrunk, times_to_shrink
from restore.tiling import Read

FINDER = "marks"


@cache
def shipped_finder(device: torch.device) -> tuple[Finder, str]:
    """The shipped network on a device, and its SHA-256."""
    net, header = load_shipped(FINDER)
    assert isinstance(net, Finder)
    return net.to(device).to(memory_format=torch.channels_last), str(header["sha256"])


def find_marks(read: Read, height: int, width: int, *, device: torch.device) -> tuple[int, Tensor]:
    """By how much the picture was shrunk, and ``B x 1 x h x w``: how likely every pixel of that is marked."""
    times = times_to_shrink(height, width)
    return times, marked(shrunk(read, height, width, times), device=device)


def marked(small: Tensor, *, device: torch.device) -> Tensor:
    """``B x 1 x h x w``: how likely every pixel of a picture, shrunk for it, is marked."""
    net, _ = shipped_finder(device)
    # In float32: whether a pixel is filled must not hang on the processor's short numbers.
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        return net(small.expand(-1, 3, -1, -1)).sigmoid()
