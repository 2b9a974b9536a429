"""HealNet: finds what lies on a picture, then fills it in.

Scratches, dust, stains, marks and drops are told from the picture by their shape, and what is under them is taken from
their surroundings. So a small U-Net says where they are, and a residual one that sees its answer repairs the picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restore.models.finder import Finder
from restore.models.resunet import ResUNet, grown_around, pad_to
from restore.models.spec import ModelSpec
from restore.models.windows import largest

# How far around what was found the gate is open, pixels.
_RIM = 2


class HealNet(nn.Module):
    """``y = x - f(x, m)`` with the mask ``m = sigmoid(d(x))``; gated, ``y = x - g f(x, m)``.

    The gate g is open where something was found and a little around it. Elsewhere intact texture, which f can hardly
    tell from damage, stays as it is.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        finder: widths of d.
        gated: whether there is a gate.

    ``forward(x)`` takes ``B x 3 x H x W`` of any size. With ``parts`` a dictionary: "picture", "mask" (d, logits);
    with ``parts="mask"`` these logits alone, for the price of d.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 144),
        blocks: tuple[int, ...] = (2, 2, 2),
        unshuffle: int = 2,
        finder: tuple[int, ...] = (16, 32, 48),
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.gated = gated
        self.detect = Finder(widths=finder)
        self.fill = ResUNet(widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=0, extra=1)
        self.multiple = max(self.detect.multiple, self.fill.multiple)
        self.radius = self.detect.radius + self.fill.radius

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(task=task, multiple=self.multiple, radius=self.radius, conditions=conditions)

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a plain ResUNet become those of f, which does not look at the mask yet."""
        return grown_around(self, "fill", state)

    def forward(self, x: Tensor, *, parts: bool | str = False) -> Tensor | dict[str, Tensor]:
        height, width = x.shape[-2:]
        whole = pad_to(x, self.multiple)
        logits = self.detect(whole)
        if parts == "mask":
            return logits[..., :height, :width]
        mask = torch.sigmoid(logits.float())
        told = torch.cat([whole, mask.to(whole.dtype)], 1)
        if self.gated:
            filled = whole - largest(mask, _RIM).to(whole.dtype) * self.fill.residual(told).to(whole.dtype)
        else:
            filled = self.fill(told)
        picture = filled[..., :height, :width]
        return {"picture": picture, "mask": logits[..., :height, :width]} if parts else picture
