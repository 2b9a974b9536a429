"""What a generator must beat to be worth having: total variation and deep image prior, in the same loop.

Same operators, draws, steps and batches as every other method; no generator is used, only its picture size.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.method import Inputs, Method, mean_codes, ramped
from restore.models.stylegan2 import StyleGAN2


class TotalVariation(Method):
    """Free pixels and the mean length of their gradient (Rudin, Osher & Fatemi 1992), by Adam.

    Args:
        weight: of the total variation, against a mean square in [-1, 1]; None: 0.001, and four times the known
            noise, which is Chambolle's weight equal to the noise.
    """

    name = "tv"
    needs: frozenset[str] = frozenset()
    steps, rate = 1000, 0.02
    perceptual = 0.0
    uses_generator = False

    def __init__(self, *, rate: float | None = None, weight: float | None = None) -> None:
        super().__init__(rate=rate)
        self.weight = weight

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        return {"image": guess.clone()}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        x = v["image"]
        down = F.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
        right = F.pad(x[..., :, 1:] - x[..., :, :-1], (0, 1))
        length = (down.square() + right.square() + 1e-6).sqrt().mean((1, 2, 3))
        weight = 1e-3 + 4 * self.noise if self.weight is None else self.weight
        return Inputs(mean_codes(net, len(x)), penalty=weight * length, image=x)

    def factor(self, progress: float, key: str) -> float:
        return ramped(progress)


class DeepImagePrior(Method):
    """A small convolutional decoder fitted to the picture from a fixed random input (Ulyanov et al., CVPR 2018).

    Args:
        width: channels of every layer.
    """

    name = "dip"
    needs: frozenset[str] = frozenset()
    steps, rate = 2500, 0.01
    perceptual = 0.0
    uses_generator = False

    def __init__(self, *, rate: float | None = None, width: int = 32) -> None:
        super().__init__(rate=rate)
        self.width = width

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        width, levels = self.width, len(net.sides)
        v = {"fixed": 0.1 * draws.uniform(width, 4, 4)}
        for i in range(levels):
            v[f"weight{i}"] = draws.normal(width, width, 3, 3) / math.sqrt(9 * width / 2)
            v[f"scale{i}"] = torch.ones(len(draws), width, 1, 1, device=draws.device)
            v[f"shift{i}"] = torch.zeros(len(draws), width, 1, 1, device=draws.device)
        v["out"] = draws.normal(net.channels, width, 1, 1) / math.sqrt(width)
        v["level"] = torch.zeros(len(draws), net.channels, 1, 1, device=draws.device)
        return v

    def rates(self, v: Variables) -> dict[str, float]:
        return {k: self.rate for k in v if k != "fixed"}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        x = v["fixed"]
        for i in range(len(net.sides)):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) if i else x
            x = each_conv(x, v[f"weight{i}"])
            spread = x.var((2, 3), keepdim=True, unbiased=False)
            x = (x - x.mean((2, 3), keepdim=True)) * torch.rsqrt(spread + 1e-5)
            x = F.leaky_relu(x * v[f"scale{i}"] + v[f"shift{i}"], 0.2)
        return Inputs(mean_codes(net, len(x)), image=torch.tanh(each_conv(x, v["out"]) + v["level"]))


def each_conv(x: Tensor, weight: Tensor) -> Tensor:
    """A kernel of its own for every picture: ``B x I x H x W`` and ``B x O x I x k x k``."""
    b, _, h, w = x.shape
    out = F.conv2d(x.reshape(1, -1, h, w), weight.flatten(0, 1), padding=weight.shape[-1] // 2, groups=b)
    return out.view(b, -1, h, w)
