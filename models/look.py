"""Looking at the whole picture once: a thumbnail in, a few numbers out.

What is global (the colour of the air, a tone curve) must not depend on the window that is restored: it is found on a
thumbnail, once per picture, and every window is given the same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Read = Callable[[int, int, int, int], Tensor]


class Look(nn.Module):
    """``B x channels x S x S`` to ``B x outputs``, in float32 also under autocast; near zero at the start.

    Args:
        outputs: how many numbers it says.
        width: channels of the first layer; doubled and tripled in the next ones.
    """

    def __init__(self, outputs: int, *, width: int = 16, channels: int = 3) -> None:
        super().__init__()
        sides = (channels, width, 2 * width, 3 * width)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sides):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.say = nn.Sequential(nn.Linear(6 * width, 64), nn.ReLU(), nn.Linear(64, outputs))
        with torch.no_grad():
            for parameter in self.say[2].parameters():
                parameter.mul_(0.1)

    def forward(self, thumbnail: Tensor) -> Tensor:
        with torch.autocast(thumbnail.device.type, enabled=False):
            h = self.body(thumbnail.float())
            return self.say(torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1))


def thumbnail(x: Tensor, side: int) -> Tensor:
    """``B x C x H x W`` to ``B x C x side x side``: means over the parts of a grid, whatever the picture's shape."""
    return F.adaptive_avg_pool2d(x, side)


def read_thumbnail(read: Read, height: int, width: int, side: int) -> Tensor:
    """``B x 3 x side x side`` of a picture of any size, read one strip of rows at a time.

    Equal to :func:`thumbnail` of the whole: every row of the thumbnail is a mean over the rows of
    its part of the grid.
    """
    rows = []
    for i in range(side):
        top, bottom = i * height // side, -(-(i + 1) * height // side)
        rows.append(F.adaptive_avg_pool2d(read(top, bottom, 0, width), (1, side)))
    return torch.cat(rows, 2).expand(-1, 3, -1, -1)
