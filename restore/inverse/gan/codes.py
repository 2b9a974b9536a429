"""Searching among intermediate codes: Image2StyleGAN, P-norm+, and StyleGAN2's own projector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.method import Inputs, Method, mean_codes, ramped
from restore.models.stylegan2 import StyleGAN2


class Image2StyleGAN(Method):
    """A code per layer, free; fixed noise (Abdal et al., ICCV 2019; number of steps as in its code's copies).

    Args:
        start: "mean" (faces) or "uniform", U(-1, 1) (everything else).
    """

    name = "image2stylegan"
    steps, rate = 5000, 0.01

    def __init__(self, *, rate: float | None = None, start: str = "mean") -> None:
        super().__init__(rate=rate)
        self.start = start

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        if self.start == "uniform":
            return {"ws": draws.uniform(net.num_ws, net.w_dim)}
        return {"ws": mean_codes(net, len(draws))}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        return Inputs(v["ws"])


class PNorm(Image2StyleGAN):
    """The same, kept where codes are likely: 0.001 times the mean square of whitened codes (Zhu et al. 2020)."""

    name = "pnorm"
    steps, rate = 1300, 0.01
    weight = 1e-3

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        return Inputs(v["ws"], penalty=self.weight * self.statistics.whiten(v["ws"]).square().mean((1, 2)))


class Projector(Method):
    """One code for all layers, jittered while searching, and noise maps kept white (Karras et al. 2020, app. D)."""

    name = "projector"
    needs = frozenset({"w", "noise"})
    steps, rate = 1000, 0.1
    weight = 1e5
    jitter, calm = 0.05, 0.75

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        v = {"w": net.w_mean.expand(len(draws), -1).clone()}
        v |= {f"noise{i}": draws.normal(*s) for i, s in enumerate(net.noise_shapes())}
        self.after_step(net, v)
        return v

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        noises = [v[f"noise{i}"] for i in range(net.num_layers)]
        w = v["w"]
        if progress < self.calm:
            w = w + draws.normal(net.w_dim) * (
                self.statistics.radius * self.jitter * (1 - progress / self.calm) ** 2
            )
        penalty = self.weight * torch.stack([noise_correlation(n) for n in noises]).sum(0)
        return Inputs(net.repeat(w), noises, penalty=penalty)

    def factor(self, progress: float, key: str) -> float:
        return ramped(progress)

    @torch.no_grad()
    def after_step(self, net: StyleGAN2, v: Variables) -> None:
        for i in range(net.num_layers):
            n = v[f"noise{i}"]
            n -= n.mean((2, 3), keepdim=True)
            n *= n.square().mean((2, 3), keepdim=True).rsqrt()


def noise_correlation(n: Tensor) -> Tensor:
    """B values: squared correlation with neighbours, on the map and its pooled copies down to 8 x 8."""
    total = torch.zeros(len(n), device=n.device)
    while True:
        for axis in (2, 3):
            total = total + (n * n.roll(1, axis)).mean((1, 2, 3)).square()
        if n.shape[-1] <= 8:
            return total
        n = F.avg_pool2d(n, 2)
