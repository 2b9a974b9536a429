"""Finder: where something lies on a picture (drops, scratches, dust), as a map."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.resunet import UNet, pad_to, unet_radius, widen_inputs
from restore.models.windows import CONTRAST_REACH, local_contrast

_PACKED = 2


class Finder(UNet):
    """A small U-Net at half resolution that is shown :func:`restore.models.windows.local_contrast`.

    A drop in focus differs from the picture by its rim alone, which is faint beside the colours themselves. A scratch
    differs by how strong it is, which local contrast does not show.

    Args:
        widths: channels per level.
        blocks: residual blocks per level; None: one each. More of them at the coarse levels see what has a shape
            (stains, letters) and cost little.
        colours: is shown the picture itself as well.

    ``forward(x)``: ``B x 3 x H x W`` of any size to logits ``B x 1 x H x W``.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (16, 32, 48),
        blocks: tuple[int, ...] | None = None,
        colours: bool = False,
    ) -> None:
        blocks = blocks or (1,) * len(widths)
        super().__init__(3 * (1 + colours) * _PACKED**2, _PACKED**2, widths=widths, blocks=blocks)
        self.colours = colours
        self.multiple = _PACKED * 2 ** (len(widths) - 1)
        self.radius = unet_radius(blocks, _PACKED) + 2 * CONTRAST_REACH

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of a finder with fewer blocks, or that did not see colours, as weights of this one, which then
        finds the same."""
        head = widen_inputs(state["head.weight"], self.head.in_channels)
        return {**state, "head.weight": head, **self.new_blocks(state)}

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        whole = pad_to(x, self.multiple).float()
        seen = local_contrast(whole)
        if self.colours:
            seen = torch.cat([seen, 4 * (whole - 0.5)], 1)  # of about the same size
        seen = seen.contiguous(memory_format=torch.channels_last)
        logits = self.maps(F.pixel_unshuffle(seen, _PACKED))
        return F.pixel_shuffle(logits, _PACKED)[..., :height, :width]
