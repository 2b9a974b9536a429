"""Underwater pictures: colour balance and fusion (Ancuti, Ancuti, De Vleeschouwer & Bekaert, TIP 2018)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from restore.convolve import pad
from restore.errors import UsageError
from restore.image import to_grey


def white_balance(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """The red that water takes is put back from the green, then the grey world (Ancuti et al., eq. 4, 5).

    Blue is compensated likewise where it is weaker than green.

    Args:
        x: ``B x 3 x H x W`` in [0, 1].
        alpha: how much is put back.

    Raises:
        UsageError: other than three channels.
    """
    if x.shape[1] != 3:
        raise UsageError(f"white balance: expected 3 channels, got {x.shape[1]}")
    red, green, blue = x.clamp(0, 1).split(1, 1)
    mean_red, mean_green, mean_blue = (c.mean((2, 3), keepdim=True) for c in (red, green, blue))
    red = red + alpha * (mean_green - mean_red).clamp(min=0) * (1 - red) * green
    blue = blue + alpha * (mean_green - mean_blue).clamp(min=0) * (1 - blue) * green
    y = torch.cat([red, green, blue], 1)
    means = y.mean((2, 3), keepdim=True)
    return y * means.mean(1, keepdim=True) / means.clamp(min=1e-3)


def underwater(
    x: Tensor, *, alpha: float = 1.0, levels: int = 6, gamma: float = 1.4, stretch: float = 0.01
) -> Tensor:
    """Two versions of the balanced picture, one with more contrast and one sharper, fused over a pyramid.

    Args:
        x: ``B x 3 x H x W`` in [0, 1].
        alpha: see :func:`white_balance`.
        levels: scales of the pyramid.
        gamma: of the first version: it restores the contrast the balance has lost.
        stretch: the share of the pixels that may become black, and white, when the luma is stretched at the end.

    Raises:
        UsageError: other than three channels.
    """
    balanced = white_balance(x, alpha=alpha).clamp(0, 1)
    inputs = [balanced**gamma, _sharpen(balanced)]
    weights = [_weight(y) + 0.1 for y in inputs]
    whole = weights[0] + weights[1]
    out: Tensor | None = None
    for y, w in zip(inputs, weights, strict=True):
        bands, shares = _laplacian(y, levels), _gaussian(w / whole, levels)
        part = [b * s for b, s in zip(bands, shares, strict=True)]
        made = part[-1]
        for band in reversed(part[:-1]):
            made = band + _up(made, band)
        out = made if out is None else out + made
    assert out is not None
    ends = to_grey(out).flatten(1).float().quantile(out.new_tensor([stretch, 1 - stretch]).float(), dim=1)
    low, high = (e.to(out).view(-1, 1, 1, 1) for e in ends)
    return (out - low) / (high - low).clamp(min=0.1) if stretch > 0 else out


def _blur(x: Tensor) -> Tensor:
    line = x.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    c = x.shape[1]
    y = F.conv2d(pad(x, 2, 0), line.view(1, 1, 5, 1).expand(c, 1, 5, 1), groups=c)
    return F.conv2d(pad(y, 0, 2), line.view(1, 1, 1, 5).expand(c, 1, 1, 5), groups=c)


def _up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def _gaussian(x: Tensor, levels: int) -> list[Tensor]:
    made = [x]
    while len(made) < levels and min(made[-1].shape[-2:]) > 1:
        made.append(_blur(made[-1])[..., ::2, ::2])
    return made


def _laplacian(x: Tensor, levels: int) -> list[Tensor]:
    steps = _gaussian(x, levels)
    return [a - _up(b, a) for a, b in pairwise(steps)] + steps[-1:]


def _sharpen(x: Tensor) -> Tensor:
    """(x + stretched(x - blurred)) / 2, their normalised unsharp mask, here with a gain instead of a stretch."""
    smooth = x
    for _ in range(4):
        smooth = _blur(smooth)
    return (x + 1.0 * (x - smooth)).clamp(0, 1)


def _weight(x: Tensor) -> Tensor:
    """Laplacian contrast + saliency (distance to the mean colour) + saturation."""
    luma = to_grey(x)
    kernel = x.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    contrast = F.conv2d(pad(luma, 1, 1), kernel).abs()
    saliency = (_blur(x) - x.mean((2, 3), keepdim=True)).square().sum(1, keepdim=True).sqrt()
    saturation = (x - luma).square().mean(1, keepdim=True).sqrt()
    return contrast + saliency + saturation
