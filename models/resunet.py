"""ResUNet: a residual U-Net behind a pixel-unshuffle, of dense 3x3 convolutions only.

The design follows what is cheap on CPUs per decibel: work at half resolution (Shi et al. 2016; FFDNet, Zhang et
al. 2018), residual blocks without normalisation (EDSR, Lim et al. 2017), a symmetric U-Net with additive skips and
strided convolutions (DRUNet, Zhang et al. 2021), and a map of the noise level beside the picture (FFDNet).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.models.spec import ModelSpec


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))); the second convolution starts at a tenth, so that a deep stack starts near identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        shrink(self.conv2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


class UNet(nn.Module):
    """Maps in, maps out, at one size: residual blocks at several resolutions with additive skips.

    Args:
        inputs, outputs: channels.
        widths: channels per level; every level halves the resolution.
        blocks: residual blocks per level (the same number going down and coming up).

    Sides must be multiples of ``2 ** (len(widths) - 1)``.
    """

    def __init__(
        self, inputs: int, outputs: int, *, widths: tuple[int, ...], blocks: tuple[int, ...]
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks):
            raise ValueError(f"expected as many blocks as widths, got {blocks} and {widths}")
        self.head = nn.Conv2d(inputs, widths[0], 3, padding=1)
        pairs = list(itertools.pairwise(widths))
        self.encoder = nn.ModuleList(_stack(w, n) for w, n in zip(widths[:-1], blocks[:-1], strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.middle = _stack(widths[-1], blocks[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(_stack(w, n) for w, n in zip(widths[:-1], blocks[:-1], strict=True))
        self.tail = nn.Conv2d(widths[0], outputs, 3, padding=1)
        shrink(self.tail)

    def new_blocks(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the blocks that ``state`` lacks, as identities: the first convolution as initialised, the second
        one zero (Net2Net's function-preserving growth, Chen et al. 2016)."""
        return {
            f"{name}.{key}": torch.zeros_like(value) if key.startswith("conv2") else value
            for name, block in self.named_modules()
            if isinstance(block, ResidualBlock) and f"{name}.conv1.weight" not in state
            for key, value in block.state_dict().items()
        }

    def maps(self, h: Tensor) -> Tensor:
        """``B x inputs x H x W`` to ``B x outputs x H x W``."""
        h = self.head(h)
        skips = []
        for encoder, down in zip(self.encoder, self.down, strict=True):
            h = encoder(h)
            skips.append(h)
            h = down(h)
        h = self.middle(h)
        for up, decoder in zip(reversed(self.up), reversed(self.decoder), strict=True):
            h = decoder(up(h) + skips.pop())
        return self.tail(h)

    def forward(self, h: Tensor) -> Tensor:
        return self.maps(h)


class ResUNet(UNet):
    """Picture and conditions in, picture out: ``y = x - f(x, conditions)``.

    Args:
        widths: channels per level; every level halves the resolution.
        blocks: residual blocks per level (the same number going down and coming up).
        unshuffle: the first level works at 1 / unshuffle of the resolution.
        conditions: how many numbers per picture enter as constant maps.
        channels: colour channels of the picture.
        extra: maps that enter beside the picture, at its size, as further channels of the input (a mask).

    ``forward(x, conditions)`` takes ``B x (channels + extra) x H x W`` of any size and ``B x len(conditions)`` values
    in units of [0, 1] and returns a picture like the first channels of ``x``. The skip is computed in the precision
    of ``x``: autocast reaches only ``f``.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 144),
        blocks: tuple[int, ...] = (2, 2, 2),
        unshuffle: int = 2,
        conditions: int = 1,
        channels: int = 3,
        extra: int = 0,
    ) -> None:
        inputs = (channels + extra) * unshuffle**2 + conditions
        super().__init__(inputs, channels * unshuffle**2, widths=widths, blocks=blocks)
        self.unshuffle, self.channels, self.conditions = unshuffle, channels, conditions
        self.multiple = unshuffle * 2 ** (len(widths) - 1)
        self.radius = unet_radius(blocks, unshuffle)

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        return ModelSpec(task=task, multiple=self.multiple, radius=self.radius, conditions=conditions)

    def grown_from(self, state: Mapping[str, Tensor], *, held: float = 10 / 255) -> dict[str, Tensor]:
        """The weights of a network with fewer blocks, other widths or other inputs as weights of this one.

        A larger one then does the same. Channels that ``state`` lacks start as initialised, unheard by those it has;
        of channels and blocks that are too many here the last are left out. Blocks that ``state`` lacks become
        identities (:meth:`new_blocks`). Inputs beyond the picture are taken to be conditions in
        ``state``: where this network has as many, they stay; where it has none, they are held at the value
        ``held``, which is a bias; maps of its own beside the picture have no weight yet.
        """
        mine = self.state_dict()
        stacks = ("encoder.", "middle.", "decoder.")
        grown = {key: value for key, value in state.items() if key in mine or not key.startswith(stacks)}
        for key, ours in mine.items():
            if key in state and key != "head.weight" and state[key].shape != ours.shape:
                # Transposed convolutions have their inputs first.
                grown[key] = _widened(state[key], ours, heard=1 if not key.startswith("up.") else 0)
        grown |= self.new_blocks(state)
        theirs = state.get("head.weight")
        if theirs is not None and len(theirs) != len(self.head.weight):
            theirs = grown["head.weight"] = _rows(theirs, self.head.weight.detach())
        if theirs is not None and theirs.shape[1] != self.head.in_channels:
            picture = self.channels * self.unshuffle**2
            told = theirs[:, picture:]
            head = torch.zeros_like(self.head.weight)
            head[:, :picture] = theirs[:, :picture]
            if self.conditions and told.shape[1] == self.conditions:
                head[:, -self.conditions :] = told
            else:
                grown["head.bias"] = grown["head.bias"] + held * told.sum((1, 2, 3))
            grown["head.weight"] = head
        return grown

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        residual = self.residual(pad_to(x, self.multiple), conditions)[..., :height, :width]
        return x[:, : self.channels] - residual.to(x.dtype)

    def residual(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        """f(x, conditions) for sides that are multiples of ``self.multiple``."""
        h = F.pixel_unshuffle(x, self.unshuffle)
        if conditions is not None:
            h = with_conditions(h, conditions)
        return F.pixel_shuffle(self.maps(h), self.unshuffle)


def _widened(theirs: Tensor, ours: Tensor, *, heard: int) -> Tensor:
    """``theirs`` in the shape of ``ours``: outputs that they lack as in ``ours``, inputs that they lack unheard.

    Args:
        heard: the dimension of the inputs.
    """
    kept = tuple(slice(min(a, b)) for a, b in zip(theirs.shape, ours.shape, strict=True))
    made = ours.clone()
    if ours.ndim > 1:
        outputs = list(kept)
        outputs[heard] = slice(None)
        made[tuple(outputs)] = 0
    made[kept] = theirs[kept].to(made)
    return made


def _rows(theirs: Tensor, ours: Tensor) -> Tensor:
    """``theirs`` with as many outputs as ``ours``; further ones hear of the inputs that both have as in ``ours``."""
    both = min(theirs.shape[1], ours.shape[1])
    made = theirs.new_zeros(len(ours), *theirs.shape[1:])
    made[:, :both] = ours[:, :both]
    made[: len(theirs)] = theirs[: len(ours)]
    return made


def widen_inputs(theirs: Tensor, inputs: int) -> Tensor:
    """A convolution's weight for more inputs, unheard behind those it knows; as it is where there are as many."""
    return F.pad(theirs, (0, 0, 0, 0, 0, inputs - theirs.shape[1]))


def pad_to(x: Tensor, multiple: int) -> Tensor:
    """``x`` continued to the right and below, its last pixels repeated, until its sides are multiples."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def with_conditions(h: Tensor, conditions: Tensor) -> Tensor:
    """``B x N`` numbers as N constant maps behind the channels of ``h``."""
    maps = conditions.to(h)[:, :, None, None].expand(-1, -1, *h.shape[-2:])
    return torch.cat([h, maps], 1)


def _stack(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))


def shrink(conv: nn.Conv2d) -> None:
    """Starts a convolution at a tenth of its weights and without bias: near nothing, but not nothing."""
    with torch.no_grad():
        conv.weight.mul_(0.1)
        if conv.bias is not None:
            conv.bias.zero_()


def unet_radius(blocks: tuple[int, ...], unshuffle: int) -> int:
    """An upper bound of the receptive radius in input pixels: every 3x3 adds one pixel of its level's grid."""
    radius = 2 * unshuffle  # head and tail
    for level, count in enumerate(blocks):
        step = unshuffle * 2**level
        passes = 1 if level == len(blocks) - 1 else 2
        radius += passes * count * 2 * step
    return radius + unshuffle * 2 ** (len(blocks) - 1)  # grid alignment of the strided layers


def grown_around(net: nn.Module, part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a plain ResUNet become those of ``net``'s ``part``; what else ``net`` has stays as it is."""
    if "head.weight" not in state:
        return dict(state)
    inner = getattr(net, part).grown_from(state)
    return {**net.state_dict(), **{f"{part}.{key}": value for key, value in inner.items()}}
