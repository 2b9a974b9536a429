"""EnlightenGAN's generator: a U-Net that is told where it is dark (Jiang et al., IEEE TIP 30, 2021).

The attention ``A = 1 - luma`` is one where the picture is black and zero where it is white. It enters beside the
picture, weighs every skip and the middle of the network, and weighs what is added: ``y = x + r A``. So a white pixel
stays as it is by construction.

The defaults are the published network. Two knobs make it cheap on a CPU without another design: ``shrink`` lets the
trunk work at a part of the resolution, and other heads then predict smooth maps, so that the detail is the picture's
own. ``affine`` adds gains and offsets weighed by each colour's own distance from white,
``y = x + tanh(gain x + offset)(1 - x)``. ``gain`` does what more light would do: it multiplies,
``z = x g / (1 + (g - 1) v)``, where v is the brightest channel, so hues and saturation stay, black stays black and a
lamp is not burnt out. More light shows the noise of the dark: ``refine`` is a residual U-Net that takes it away,
``y = z - f(z, x) A``, and may start from a denoiser.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.image import GREY
from restore.models.resunet import ResUNet, grown_around
from restore.models.spec import ModelSpec

NORMS = ("batch", "group", "instance", "pixel", "none")
HEADS = ("residual", "affine", "gain")
LARGEST_GAIN = 3.5  # its logarithm: 33 times


class PixelNorm(nn.Module):
    """Normalises every pixel over its channels: no statistics of the picture, so tiles equal the whole."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        moved = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias)
        return moved.permute(0, 3, 1, 2)


class EnlightenGenerator(nn.Module):
    """Picture in, brighter picture out.

    Args:
        base: channels of the first level; every level doubles them.
        pools: how often the resolution is halved.
        norm: ``batch`` as published (for batches of 8 or more), ``group``, ``instance``, ``pixel`` or ``none``.
            Batch size 1 works with all but ``batch``; ``group`` and ``instance`` see the whole picture, so its
            tiles are not equal to the whole.
        attention: ``luma``, or ``none`` (A = 1 everywhere, for the ablation).
        shrink: the trunk works at 1 / shrink of the resolution.
        head: ``residual`` (published), ``affine`` (smooth gains and offsets) or ``gain`` (a smooth gain with a small
            balance of the colours; the trunk then sees the square root of the picture, so that the dark is spread out).
        refine: widths of f, at half resolution with two blocks a level; empty: none.

    ``forward(x)`` takes ``B x 3 x H x W`` in [0, 1] of any size; the result is not clamped. Inside, values are in
    [-1, 1] as published.
    """

    def __init__(
        self,
        *,
        base: int = 32,
        pools: int = 4,
        norm: str = "batch",
        attention: str = "luma",
        shrink: int = 1,
        head: str = "residual",
        refine: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("norm", norm, NORMS),
            ("attention", attention, ("luma", "none")),
            ("head", head, HEADS),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        if base < 1 or pools < 1 or shrink < 1:
            raise ValueError(f"expected base, pools and shrink of 1 or more, got {base}, {pools}, {shrink}")
        self.norm, self.attention, self.shrink, self.head_kind = norm, attention, shrink, head
        self.multiple = shrink * 2**pools
        self.radius = _radius(pools, shrink)
        widths = [base * 2**level for level in range(pools + 1)]
        inputs = [4, *widths[:-2]]
        self.encoder = nn.ModuleList(
            nn.Sequential(_block(a, b, norm), _block(b, b, norm))
            for a, b in zip(inputs, widths[:-1], strict=True)
        )
        self.middle_in = _block(widths[-2], widths[-1], norm)
        self.middle_out = _block(widths[-1], widths[-1], norm)
        self.up = nn.ModuleList(nn.Conv2d(2 * w, w, 3, padding=1) for w in widths[:-1])
        self.decoder = nn.ModuleList(
            nn.Sequential(_block(2 * w, w, norm), _block(w, w, norm if level else "none"))
            for level, w in enumerate(widths[:-1])
        )
        self.head = nn.Conv2d(base, {"residual": 3, "affine": 6, "gain": 4}[head], 1)
        self.apply(_start_small if norm != "none" else _start_by_fan)
        self.refine = None
        if refine:  # after the trunk's own start
            self.refine = ResUNet(
                widths=refine, blocks=(2,) * len(refine), unshuffle=2, conditions=0, extra=3
            )
            self.multiple = math.lcm(self.multiple, self.refine.multiple)
            self.radius += self.refine.radius

    def spec(self, *, task: str, conditions: tuple[str, ...]) -> ModelSpec:
        """This network's face; the radius follows from the layers."""
        per_picture = self.norm in ("group", "instance")
        return ModelSpec(
            task=task,
            multiple=self.multiple,
            radius=self.radius,
            conditions=conditions,
            tiling="discouraged" if per_picture else "supported",
        )

    def grown_from(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a plain ResUNet, a denoiser's, become those of ``refine``; everything else starts as it is."""
        own = "middle_in.0.weight" in state
        return dict(state) if own or self.refine is None else grown_around(self, "refine", state)

    def forward(self, x: Tensor, *, noisy: bool = False) -> Tensor:
        """The enhanced picture; ``noisy``: before ``refine``, what more light alone makes of it."""
        lit = self.light(x)[0]
        return lit if self.refine is None or noisy else self.clean(lit, x)

    def clean(self, lit: Tensor, x: Tensor) -> Tensor:
        """``lit``, what more light makes of ``x``, without the noise that came to light."""
        assert self.refine is not None, "a network without refine"
        height, width = x.shape[-2:]
        both = _pad_to(torch.cat([lit, x], 1), self.refine.multiple)
        residual = self.refine.residual(both)[..., :height, :width]
        weight = dark_attention(x) if self.attention == "luma" else 1.0
        return lit - residual.to(x.dtype) * weight

    def light(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The picture in more light, the residual r in [0, 1] units, what weighs it (``B x 1`` or ``3 x H x W``)."""
        height, width = x.shape[-2:]
        padded = _pad_to(x, self.multiple)
        attention = dark_attention(padded) if self.attention == "luma" else torch.ones_like(padded[:, :1])
        shown = padded.clamp(min=0).sqrt() if self.head_kind == "gain" else padded
        maps = self._maps(2 * shown - 1, attention)
        if self.head_kind == "residual":
            residual = 0.5 * self._enlarged(maps, padded)
        elif self.head_kind == "affine":
            gain, offset = self._enlarged(maps, padded).split([3, 3], 1)
            residual = torch.tanh(gain * padded + 0.5 * offset)
            if self.attention == "luma":
                attention = (1 - padded).clamp(min=0)
        else:
            logs, balance = self._enlarged(maps, padded).split([1, 3], 1)
            gain = torch.exp(LARGEST_GAIN * torch.sigmoid(logs - 1) + 0.15 * torch.tanh(balance))
            brightest = padded.amax(1, keepdim=True).clamp(0, 1)
            residual = padded * (gain / (1 + (gain - 1) * brightest) - 1)
            attention = torch.ones_like(attention)
        residual, attention = residual[..., :height, :width], attention[..., :height, :width]
        return x + residual * attention, residual, attention

    def _enlarged(self, maps: Tensor, like: Tensor) -> Tensor:
        """Maps of the trunk at the size and in the precision of ``like``, without corners."""
        if self.shrink > 1:
            maps = F.interpolate(maps.float(), size=like.shape[-2:], mode="bilinear", align_corners=False)
        return maps.to(like.dtype)

    def _maps(self, x: Tensor, attention: Tensor) -> Tensor:
        """What the head says, at the resolution of the trunk, for sides on the grid."""
        h = torch.cat([x, attention], 1)
        attentions, skips = [F.avg_pool2d(attention, self.shrink)], []
        h = F.avg_pool2d(h, self.shrink)
        for level in self.encoder:
            h = level(h)
            skips.append(h * attentions[-1])
            h = F.max_pool2d(h, 2)
            attentions.append(F.max_pool2d(attentions[-1], 2))
        h = self.middle_out(self.middle_in(h) * attentions[-1])
        for up, decoder in zip(reversed(self.up), reversed(self.decoder), strict=True):
            # align_corners=False, unlike the framework of 2019: output pixels then do not drift against input pixels.
            h = up(F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False))
            h = decoder(torch.cat([h, skips.pop()], 1))
        return self.head(h)


def dark_attention(x: Tensor) -> Tensor:
    """``1 - luma`` of ``B x 3 x H x W`` in [0, 1], exactly 0 for white: ``B x 1 x H x W``."""
    return ((1 - x) * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _block(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """conv 3x3, LeakyReLU 0.2, normalisation: in that order, as published."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.2)]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(outputs))
    elif norm == "group":
        layers.append(nn.GroupNorm(max(1, min(8, outputs // 4)), outputs))
    elif norm == "instance":
        layers.append(nn.InstanceNorm2d(outputs, affine=True))
    elif norm == "pixel":
        layers.append(PixelNorm(outputs))
    return nn.Sequential(*layers)


def _start_small(module: nn.Module) -> None:
    """Convolutions N(0, 0.02), norm weights N(1, 0.02), as published."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d | PixelNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _start_by_fan(module: nn.Module) -> None:
    """Without normalisation N(0, 0.02) would die out on its way through twenty layers."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        if module.kernel_size == (1, 1):  # the head: starts near identity, as N(0, 0.02) does
            nn.init.normal_(module.weight, 0.0, 0.02)


def _pad_to(x: Tensor, multiple: int) -> Tensor:
    """Sides up to the next multiple, mirrored; repeated edges where a picture is too small for its mirror."""
    down, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    mode = "reflect" if down < x.shape[-2] and right < x.shape[-1] else "replicate"
    return F.pad(x, (0, right, 0, down), mode=mode)


def _radius(pools: int, shrink: int) -> int:
    """An upper bound of the receptive radius in input pixels."""
    radius = 2 * 2**pools  # the middle
    for level in range(pools):
        # Two convolutions down, three up, and the enlargement reaches one pixel of the level below.
        radius += 5 * 2**level + 2 ** (level + 1)
    radius += 2**pools  # where in its block of the coarsest level a pixel lies
    return shrink * (radius + (2 if shrink > 1 else 0))
