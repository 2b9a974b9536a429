"""Searching among the features of a layer: ILO and BDInvert. They have more freedom than pixels: see ``freedom``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.latents import to_sphere
from restore.inverse.gan.method import Inputs, Method, geodesic_cross, mean_codes
from restore.models.stylegan2 import StyleGAN2


class ILO(Method):
    """Intermediate layer optimisation: codes first, then the features of deeper and deeper layers (ICML 2021).

    Every later stage starts from what the earlier one gave and may leave it only by an l1 ball around it, for the
    features and for the codes above.

    Args:
        layers: the layer whose output is free in each later stage.
        radii: of the l1 balls around the features of stage 1, 2 ...; a single one serves all. None: no balls.
    """

    name = "ilo"
    needs = frozenset({"z", "w", "noise", "start"})
    steps, rate = 1000, 0.1
    weight = 0.01
    betas = (0.9, 0.999)

    def __init__(
        self,
        *,
        rate: float | None = None,
        layers: tuple[int, ...] = (0, 2),
        radii: tuple[float, ...] | None = (1000.0,),
    ) -> None:
        super().__init__(rate=rate)
        self.layers, self.radii, self.stages, self.stage = layers, radii, 1 + len(layers), 0

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        self.stage = 0
        v = {"z": draws.normal(net.num_ws, net.z_dim)}
        to_sphere(v["z"])
        return v | {f"noise{i}": draws.normal(*s) for i, s in enumerate(net.noise_shapes())}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        noises = [v[f"noise{i}"] for i in range(net.num_layers)]
        if self.stage == 0:
            ws = net.mapping(v["z"].flatten(0, 1)).view(len(v["z"]), net.num_ws, -1)
            return Inputs(ws, noises, penalty=self.weight * geodesic_cross(v["z"]))
        return Inputs(v["ws"], noises, start=(self.layers[self.stage - 1], v["features"]))

    def rates(self, v: Variables) -> dict[str, float]:
        return {k: self.rate for k in v if not k.startswith("centre")}

    def advance(self, net: StyleGAN2, v: Variables, draws: Draws, stage: int) -> Variables:
        with torch.no_grad():
            now = self.inputs(net, v, draws, 1.0)
            assert now.noises is not None
            _, features = net.synthesis(now.ws, now.noises, start=now.start, return_features=True)
        layer, first = self.layers[stage - 1], 0 if now.start is None else now.start[0]
        self.stage = stage
        feature, ws = features[layer - first].clone(), now.ws.clone()
        made = {"features": feature, "ws": ws, "centre_features": feature.clone(), "centre_ws": ws.clone()}
        return made | {k: n for k, n in v.items() if k.startswith("noise")}

    @torch.no_grad()
    def after_step(self, net: StyleGAN2, v: Variables) -> None:
        if self.stage == 0:
            to_sphere(v["z"])
        elif self.radii is not None:
            radius = self.radii[min(self.stage, len(self.radii)) - 1]
            for key in ("features", "ws"):
                v[key].copy_(l1_ball(v[key], v[f"centre_{key}"], radius))


def l1_ball(x: Tensor, centre: Tensor, radius: float) -> Tensor:
    """The nearest point of the l1 ball around ``centre``, per picture (Duchi et al., ICML 2008)."""
    away = (x - centre).flatten(1)
    size = away.abs()
    sorted_, _ = size.sort(1, descending=True)
    ranks = torch.arange(1, size.shape[1] + 1, device=x.device)
    sums = sorted_.cumsum(1) - radius
    last = (sorted_ * ranks > sums).sum(1, keepdim=True).clamp(min=1)
    level = (sums.gather(1, last - 1) / last).clamp(min=0)
    shrunk = away.sign() * (size - level).clamp(min=0)
    inside = size.sum(1, keepdim=True) <= radius
    return centre + torch.where(inside, away, shrunk).view_as(x)


class BDInvert(Method):
    """A base code of features at one layer beside codes for the layers above (Kang et al., ICCV 2021).

    The base code starts at, and is held near, what an encoder makes of the picture.

    Args:
        layer: whose output is the base code; None: the deepest with at most ``share`` values per pixel.
        weight: of the mean squared distance to the encoder's base code (10 in the paper).
        encoder: pictures in [-1, 1] to base codes; None: the features of the mean code.
    """

    name = "bdinvert"
    needs = frozenset({"w", "start"})
    steps, rate = 1200, 0.01
    perceptual = 10.0
    code_weight = 0.01

    def __init__(
        self,
        *,
        rate: float | None = None,
        layer: int | None = None,
        weight: float = 10.0,
        share: float = 0.25,
        encoder: torch.nn.Module | None = None,
    ) -> None:
        super().__init__(rate=rate)
        self.layer, self.weight, self.share, self.encoder = layer, weight, share, encoder

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        if self.layer is None:
            self.layer = base_layer(net, self.share)
        ws = mean_codes(net, len(guess))
        with torch.no_grad():
            base = net.lower(ws, self.layer) if self.encoder is None else self.encoder(guess)
        return {"base": base.clone(), "ws": ws, "centre": base.clone()}

    def rates(self, v: Variables) -> dict[str, float]:
        return {"base": self.rate, "ws": self.rate}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        assert self.layer is not None
        far = (v["base"] - v["centre"]).square().mean((1, 2, 3))
        likely = self.statistics.whiten(v["ws"]).square().mean((1, 2))
        return Inputs(
            v["ws"],
            start=(self.layer, v["base"]),
            penalty=self.weight * far + self.code_weight * likely,
        )


def base_layer(net: StyleGAN2, share: float) -> int:
    """The deepest layer with at most ``share`` values per value of the picture; the first one if none has."""
    most = share * net.channels * net.resolution**2
    fitting = [i for i, s in enumerate(net.feature_shapes()) if math.prod(s) <= most]
    return max(fitting, default=0)
