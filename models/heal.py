"""HealNet: finds what lies on a picture, then fills it in.

Scratches, dust, stains, marks and drops are told from the picture by their shape, and what is under them is taken from
their surroundings. So a small U-Net says where they are, and a residual one that sees its answer repairs the picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restore.models.finder import Finder
from restore.models.inpaint import pull_push, pull_push_radius
from restore.models.resunet import ResUNet, grown_around, pad_to, widen_inputs
from restore.models.spec import ModelSpec
from restore.models.windows import largest

# How far around what was found the gate is open, pixels.
_RIM = 2
# Side of its windows: it sees 292 pixels around every one, so that of smaller windows more than half would be border.
_WINDOW = 2048
# Halvings of the smooth filling: drops are not as large as holes can be.
_LEVELS = 4


class HealNet(nn.Module):
    """``y = x - f(x, m)`` with the mask ``m = sigmoid(d(x))``; gated, ``y = x - g f(x, m)``.

    The gate g is open where something was found and a little around it. Elsewhere intact texture, which f can hardly
    tell from damage, stays as it is.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        finder: widths of d.
        finder_blocks, colours: of d, see :class:`restore.models.finder.Finder`.
        gated: whether there is a gate.
        smooth: f also sees the picture filled smoothly where m is above a half, as FillNet does: under a large drop
            it then repairs a membrane instead of the drop.

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
        finder_blocks: tuple[int, ...] | None = None,
        colours: bool = False,
        gated: bool = False,
        smooth: bool = False,
    ) -> None:
        super().__init__()
        self.gated, self.smooth = gated, smooth
        self.detect = Finder(widths=finder, blocks=finder_blocks, colours=colours)
        self.fill = ResUNet(
            widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=0, extra=1 + 3 * smooth
        )
        self.multiple = max(self.detect.multiple, self.fill.multiple, 2**_LEVELS if smooth else 1)
        self.radius = self.detect.radius + self.fill.radius + (pull_push_radius(_LEVELS) if smooth else 0)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(
            task=task,
            multiple=self.multiple,
            radius=self.radius,
            conditions=conditions,
            window=_WINDOW,
        )

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a plain ResUNet become those of f, which does not look at the mask yet; those of a HealNet with
        less to see or a smaller finder become a network that does the same."""
        if "head.weight" in state:
            return grown_around(self, "fill", state)
        inner = {
            part: {key[len(part) + 1 :]: value for key, value in state.items() if key.startswith(f"{part}.")}
            for part in ("detect", "fill")
        }
        inner["fill"]["head.weight"] = widen_inputs(inner["fill"]["head.weight"], self.fill.head.in_channels)
        return {
            f"{part}.{key}": value
            for part, own in inner.items()
            for key, value in getattr(self, part).grown_from(own).items()
        }

    def forward(self, x: Tensor, *, parts: bool | str = False) -> Tensor | dict[str, Tensor]:
        height, width = x.shape[-2:]
        whole = pad_to(x, self.multiple)
        logits = self.detect(whole)
        if parts == "mask":
            return logits[..., :height, :width]
        picture = (whole - self.taken_off(whole, logits).to(whole.dtype))[..., :height, :width]
        return {"picture": picture, "mask": logits[..., :height, :width]} if parts else picture

    def residual(self, whole: Tensor, conditions: Tensor | None = None) -> Tensor:
        """``x - y`` for sides that are multiples of ``self.multiple``: what an engine may compute in low precision."""
        return self.taken_off(whole, self.detect(whole))

    def taken_off(self, whole: Tensor, logits: Tensor) -> Tensor:
        """``g f(x, m)`` of a picture whose sides are multiples of ``self.multiple``, given d's answer to it."""
        mask = torch.sigmoid(logits.float())
        told = [whole, mask.to(whole.dtype)]
        if self.smooth:
            hole = (largest(mask, 1) > 0.5).float()
            told.append(pull_push(whole.float(), hole, levels=_LEVELS).to(whole.dtype))
        removed = self.fill.residual(torch.cat(told, 1))
        return largest(mask, _RIM).to(removed.dtype) * removed if self.gated else removed
