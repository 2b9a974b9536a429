"""What lies on a picture (scratches, dust, folds), asked of the shipped finder: where it is, and whether surely there.

Marks are as wide as the print was scanned finely, and the finder knows those of small pictures: it looks at the whole
picture at once, shrunk until the short side is about 320 pixels, whatever its size.
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
# A pixel is surely marked from this probability on, a picture from this share of such pixels on; a smaller one will do
# where another look at it suspects damage. Of clean pictures of BSDS500 one in 200 passes the first and none of 134 the
# second; of those scratched at severity 3 64 % pass one of them, of films 76 %, of folds 24 %, of dust 10 %.
_PIXEL, _PICTURE, _SUSPECTED = 0.995, 0.0035, 0.0015
# The share that scratches of severity 3 leave, in the middle of such pictures.
_SEVERITY_3 = 0.005


@cache
def shipped_finder(device: torch.device) -> tuple[Finder, str]:
    """The shipped network on a device, and its SHA-256."""
    net, header = load_shipped(FINDER)
    assert isinstance(net, Finder)
    return net.to(device).to(memory_format=torch.channels_last), str(header["sha256"])


def find_marks(read: Read, height: int, width: int, *, device: torch.device) -> tuple[int, Tensor]:
    """By how much the picture was shrunk, and ``B x 1 x h x w``: how likely every pixel of that is marked."""
    net, _ = shipped_finder(device)
    times = times_to_shrink(height, width)
    # In float32: whether a pixel is filled must not hang on the processor's short numbers.
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        return times, net(shrunk(read, height, width, times).expand(-1, 3, -1, -1)).sigmoid()


def judge_marks(likely: Tensor, *, suspected: bool = False) -> tuple[float, float]:
    """How sure it is that a picture is marked (.9 and more, or 0), and how severely, 0 to 5.

    Little of it says nothing (0, 0): leaves, wires and letters are taken for marks too.
    """
    share = float((likely > _PIXEL).float().mean())
    enough = _SUSPECTED if suspected else _PICTURE
    return (1 - 0.1 * enough / share, min(5.0, 3 * share / _SEVERITY_3)) if share >= enough else (0.0, 0.0)
