"""FillNet: holes filled smoothly from their borders first, and with texture by a residual U-Net after.

The smooth filling is the pull-push of Gortler et al. 1996 (means of what is known, coarser and coarser, put back where
nothing finer is known): it costs next to nothing and reaches across large holes, so that the network learns what is
missing from a membrane instead of from black.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.resunet import ResUNet, grown_around, pad_to
from restore.models.spec import ModelSpec

# Halvings of the resolution, and means over neighbours at the coarsest one, which bound how far colours travel.
_LEVELS, _SPREADS = 5, 3


class FillNet(nn.Module):
    """Known pixels as they are; under the mask ``s - f(s, m)`` with the smooth filling s.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.

    ``forward(x)`` takes ``B x 4 x H x W``: colours, and a mask that is 1 where they are missing (between 0 and 1 both
    are mixed); colours under the mask are not looked at.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 144),
        blocks: tuple[int, ...] = (4, 2, 2),
        unshuffle: int = 2,
    ) -> None:
        super().__init__()
        self.fill = ResUNet(widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=0, extra=1)
        self.multiple = max(2**_LEVELS, self.fill.multiple)
        self.radius = pull_push_radius() + self.fill.radius

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(
            task=task, multiple=self.multiple, radius=self.radius, conditions=conditions, mask=True
        )

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a plain ResUNet become those of f, which does not look at the mask yet."""
        return grown_around(self, "fill", state)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        # What lies beyond the picture is not known: it must not pull on holes at the border.
        below, right = -height % self.multiple, -width % self.multiple
        picture, mask = pad_to(x[:, :3], self.multiple), F.pad(x[:, 3:], (0, right, 0, below), value=1.0)
        smooth = pull_push(picture.float(), mask.float()).to(x.dtype)
        filled = self.fill(torch.cat([smooth, mask], 1))
        return (picture + mask * (filled - picture))[..., :height, :width]


def pull_push_radius(levels: int = _LEVELS) -> int:
    """How far :func:`pull_push` looks, pixels."""
    # Every enlargement looks at one neighbour of its level: together less than two cells of the coarsest.
    return 2**levels * (_SPREADS + 3)


def pull_push(x: Tensor, mask: Tensor, *, levels: int = _LEVELS) -> Tensor:
    """``B x C x H x W`` with holes (``mask`` 1, ``B x 1 x H x W``) filled smoothly; sides multiples of 2 ** levels.

    Where nothing is known within reach the filling is 0.5.
    """
    known = 1 - mask
    cells = [(x * known, known)]
    for _ in range(levels):
        cells.append((F.avg_pool2d(cells[-1][0], 2), F.avg_pool2d(cells[-1][1], 2)))
    total, weight = cells.pop()
    for _ in range(_SPREADS):
        near, sure = (F.avg_pool2d(v, 3, stride=1, padding=1) for v in (total, weight))
        lacking = (1 - weight * 4**levels).clamp(min=0)  # a cell with one known pixel needs no neighbours
        total, weight = total + lacking * near, weight + lacking * sure
    colour = torch.where(weight > 0, total / weight.clamp(min=1e-8), torch.full_like(total, 0.5))
    for total, weight in reversed(cells):
        coarse = F.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
        # A cell that is known at all says its own colour; a hole takes what is coarser.
        sure = (weight > 0).to(x)
        colour = coarse + sure * (total / weight.clamp(min=1e-8) - coarse)
    return colour
