"""StainNet: takes see-through stains and lettering off, by the law that put them on.

A stain of colour c that takes the share a of the light leaves y = (1 - a) x + a c (alpha composition, Porter & Duff
1984). A U-Net says a and c of every pixel, and the law is turned round: what shows through is brought back as it was
instead of being filled with something plausible.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.resunet import UNet, pad_to, unet_radius
from restore.models.spec import ModelSpec

_PACKED = 2
# More than that is not looked through: what is left of the picture would be noise.
_MOST = 0.9


class StainNet(UNet):
    """``x = c + (y - c) / (1 - a)``, and what this leaves, within a.

    Args:
        widths, blocks: per level of a U-Net at half resolution; the coarse ones see what has a shape (letters, rims).
        faint: the least a that is acted on; below, a pixel stays as it is, bit for bit.

    ``forward(y)``: ``B x 3 x H x W`` of any size to a picture of that size; with ``parts`` the dictionary "picture",
    "mask" (logits of a), "colour" (c, ``B x 3 x H x W``), "rest" (what is added within a). Starts at hardly any a.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (24, 48, 64, 64),
        blocks: tuple[int, ...] = (1, 1, 2, 2),
        faint: float = 0.0,
    ) -> None:
        super().__init__(3 * _PACKED**2, 7 * _PACKED**2, widths=widths, blocks=blocks)
        self.faint = faint
        self.multiple = _PACKED * 2 ** (len(widths) - 1)
        self.radius = unet_radius(blocks, _PACKED)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(task=task, multiple=self.multiple, radius=self.radius, conditions=conditions)

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of one with fewer blocks as weights of this one, which then does the same."""
        return {**state, **self.new_blocks(state)}

    def forward(  # type: ignore[override]
        self, y: Tensor, *, parts: bool | str = False
    ) -> Tensor | dict[str, Tensor]:
        height, width = y.shape[-2:]
        whole = pad_to(y, self.multiple)
        seen = F.pixel_unshuffle(whole - 0.5, _PACKED)
        maps = F.pixel_shuffle(self.maps(seen), _PACKED)[..., :height, :width].float()
        logits, colour, rest = maps[:, :1] - 3, torch.sigmoid(4 * maps[:, 1:4]), maps[:, 4:]
        if parts == "mask":
            return logits
        share = torch.sigmoid(logits)
        picture = lifted(y.float(), share, colour, rest, faint=self.faint).to(y.dtype)
        return {"picture": picture, "mask": logits, "colour": colour, "rest": rest} if parts else picture


def lifted(y: Tensor, share: Tensor, colour: Tensor, rest: Tensor, *, faint: float = 0.0) -> Tensor:
    """The law turned round: ``B x 3 x H x W`` without what took ``share`` of its light and gave ``colour`` instead.

    Where ``share`` is below ``faint`` the picture stays as it is.
    """
    a = share.clamp(max=_MOST)
    through = (colour + (y - colour) / (1 - a)).clamp(-0.25, 1.25)
    return torch.where(share < faint, y, through + a * rest)
