"""Searching among the generator's own latent codes z: CSGM, projected gradients, PULSE, mGANprior."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.method import Inputs, Method, geodesic_cross
from restore.models.stylegan2 import StyleGAN2
from restore.models.stylegan2_layers import SLOPE


class CSGM(Method):
    """|A G(z) - y|^2 + 0.001 |z|^2 (Bora et al., ICML 2017); the loop can start it several times and keep the best."""

    name = "csgm"
    needs = frozenset({"z"})
    steps, rate = 1000, 0.1
    data, perceptual = "sum", 0.0
    weight = 1e-3

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        return {"z": draws.normal(net.z_dim)}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        return Inputs(net.repeat(net.mapping(v["z"])), penalty=self.weight * v["z"].square().sum(1))


class LatentPGD(CSGM):
    """Projected gradients: z stays on the sphere of radius sqrt(d), or is clipped.

    Args:
        keep: "sphere" or "clip" (to [-clip, clip]).
    """

    name = "pgd"
    weight = 0.0

    def __init__(self, *, rate: float | None = None, keep: str = "sphere", clip: float = 2.0) -> None:
        super().__init__(rate=rate)
        if keep not in ("sphere", "clip"):
            raise UsageError(f"expected keep sphere or clip, got {keep!r}")
        self.keep, self.clip = keep, clip

    @torch.no_grad()
    def after_step(self, net: StyleGAN2, v: Variables) -> None:
        if self.keep == "clip":
            v["z"].clamp_(-self.clip, self.clip)
        else:
            to_sphere(v["z"])


class PULSE(Method):
    """A code per layer on a sphere in the Gaussianised space, layers drawn together, spherical Adam (CVPR 2020).

    Five noise maps are free, the rest is fixed, the last is zero. Data term: 100 times the mean square, not below
    the floor of 0.001.
    """

    name = "pulse"
    needs = frozenset({"w", "noise"})
    steps, rate = 100, 0.4
    perceptual = 0.0
    weight, floor, data_weight, free = 0.05, 1e-3, 100.0, 5

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        v = {"z": draws.normal(net.num_ws, net.w_dim)}
        for i, shape in enumerate(net.noise_shapes()):
            noise = draws.normal(*shape)
            v[f"noise{i}"] = torch.zeros_like(noise) if i == net.num_layers - 1 else noise
        self.after_step(net, v)
        return v

    def rates(self, v: Variables) -> dict[str, float]:
        return {"z": self.rate} | {f"noise{i}": self.rate for i in range(self.free)}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        s = self.statistics
        bent = torch.nn.functional.leaky_relu(v["z"] * s.spread @ s.basis.T + s.centre, SLOPE)
        noises = [v[f"noise{i}"] for i in range(net.num_layers)]
        return Inputs(bent, noises, penalty=self.weight * geodesic_cross(v["z"]) / self.data_weight)

    def factor(self, progress: float, key: str) -> float:
        # Linear one-cycle of its released code: up over a ninth, down over the rest.
        return min(progress * 9 + 0.1, (1 - progress) * 9 / 8 + 0.01, 1.0)

    @torch.no_grad()
    def after_step(self, net: StyleGAN2, v: Variables) -> None:
        to_sphere(v["z"])
        for i in range(self.free):
            flat = v[f"noise{i}"].flatten(1)
            flat *= math.sqrt(flat.shape[1]) / flat.norm(dim=1, keepdim=True).clamp(min=1e-12)


class MultiCode(Method):
    """Several z, their features at one layer added up with channel weights (mGANprior, Gu et al., CVPR 2020).

    Args:
        codes: how many z. layer: whose output is composed (6 in the paper, of larger generators).
    """

    name = "mganprior"
    needs = frozenset({"z", "start"})
    steps, rate = 3000, 0.01

    def __init__(self, *, rate: float | None = None, codes: int = 20, layer: int = 4) -> None:
        super().__init__(rate=rate)
        self.codes, self.layer = codes, layer

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        channels = net.feature_shapes()[self.layer][0]
        weights = torch.full((len(draws), self.codes, channels), 1 / self.codes, device=draws.device)
        return {"z": draws.normal(self.codes, net.z_dim), "weights": weights}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        b = len(v["z"])
        w = net.mapping(v["z"].flatten(0, 1))
        deep = net.lower(net.repeat(w), self.layer).unflatten(0, (b, self.codes))
        mixed = (deep * v["weights"][..., None, None]).sum(1)
        return Inputs(net.repeat(w.view(b, self.codes, -1).mean(1)), start=(self.layer, mixed))


def to_sphere(z: Tensor) -> None:
    """Codes ``... x d`` to the radius sqrt(d), in place."""
    z *= math.sqrt(z.shape[-1]) / z.norm(dim=-1, keepdim=True).clamp(min=1e-12)
