"""Surveying the whole picture: what lies before every part of it is plainer from afar than in any window.

How thick a haze is cannot be told from a window of it: a grey wall and thick air look alike. The whole says more: the
far is thicker than the near, the brightest and the darkest thing bound the light of the air, and all of it changes
slowly from place to place. A U-Net on a thumbnail says a few numbers of the picture, and planes on a coarse grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.windows import largest

# The grid's side, for the thumbnail's side over eight.
GRID = 16
SIDE = 8 * GRID
# Radius of the windows in which the darkest value is shown to it, in pixels of the thumbnail.
_DARK = 2


class Survey(nn.Module):
    """``B x 3 x 128 x 128`` to ``B x (outputs + planes * 16 * 16)``: numbers, then planes; near zero at the start.

    Args:
        outputs: how many numbers it says.
        planes: how many planes.
        widths: channels at a half, a quarter, an eighth (the grid) and a sixteenth of the thumbnail's side.
    """

    def __init__(
        self, outputs: int, planes: int, *, widths: tuple[int, int, int, int] = (24, 48, 80, 80)
    ) -> None:
        super().__init__()
        a, b, c, d = widths
        self.outputs, self.planes = outputs, planes
        self.fine = nn.Sequential(_half(6, a), _Residual(a), _half(a, b), _Residual(b))
        self.grid = nn.Sequential(_half(b, c), _Residual(c), _Residual(c))
        self.coarse = nn.Sequential(_half(c, d), _Residual(d), _Residual(d))
        self.whole = nn.Sequential(nn.Linear(2 * (c + d), 128), nn.ReLU(), nn.Linear(128, outputs + d))
        self.told = _Residual(d)
        self.up, self.joined = nn.Conv2d(d, c, 1), _Residual(c)
        self.say = nn.Conv2d(c, planes, 3, padding=1)
        with torch.no_grad():
            for parameter in (*self.whole[2].parameters(), *self.say.parameters()):
                parameter.mul_(0.1)

    def forward(self, thumbnail: Tensor) -> Tensor:
        with torch.autocast(thumbnail.device.type, enabled=False):
            x = thumbnail.float()
            dark = -largest(-x.amin(1, keepdim=True), _DARK)
            grid = self.grid(self.fine(torch.cat([x - 0.5, dark, place_of(x) - 0.5], 1)))
            coarse = self.coarse(grid)
            pooled = [f(h, (2, 3)) for h in (coarse, grid) for f in (torch.mean, torch.amax)]
            said = self.whole(torch.cat(pooled, 1))
            coarse = self.told(coarse + said[:, self.outputs :, None, None])
            joined = grid + F.interpolate(
                self.up(coarse), scale_factor=2, mode="bilinear", align_corners=False
            )
            return torch.cat([said[:, : self.outputs], self.say(self.joined(joined)).flatten(1)], 1)

    def split(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers and planes (``B x planes x 16 x 16``) of what it said."""
        return seen[:, : self.outputs], seen[:, self.outputs :].view(-1, self.planes, GRID, GRID)


def place_of(x: Tensor, *, top: int = 0, left: int = 0, height: int = 0, width: int = 0) -> Tensor:
    """``B x 2 x h x w`` like ``x``: where in the whole picture each pixel lies, down and right, from 0 to 1.

    Args:
        top, left: of ``x`` in the whole.
        height, width: of the whole; 0: ``x`` is the whole.
    """
    b, _, h, w = x.shape
    down = (torch.arange(h, device=x.device, dtype=torch.float32) + (top + 0.5)) / (height or h)
    right = (torch.arange(w, device=x.device, dtype=torch.float32) + (left + 0.5)) / (width or w)
    return torch.stack([down[:, None].expand(h, w), right.expand(h, w)]).expand(b, -1, -1, -1)


def at_place(planes: Tensor, place: Tensor) -> Tensor:
    """Planes of the whole picture, ``B x C x 16 x 16``, at the pixels whose places are given: smooth between them."""
    where = torch.stack([place[:, 1], place[:, 0]], -1).float() * 2 - 1
    return F.grid_sample(planes.float(), where, mode="bicubic", padding_mode="border", align_corners=False)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.5 * self.second(F.relu(self.first(x)))


def _half(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU())
