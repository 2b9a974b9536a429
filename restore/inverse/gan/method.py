"""The contract between the loop and a method: variables per picture, what they mean, and what they cost."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.statistics import CodeStatistics
from restore.models.stylegan2 import StyleGAN2


@dataclass
class Inputs:
    """What a synthesis network is given, and a penalty per picture (B values) on top of the data term.

    ``image`` is the picture itself, of a method that uses no generator; its ``ws`` mean nothing.
    """

    ws: Tensor
    noises: Sequence[Tensor] | None = None
    content: Tensor | None = None
    start: tuple[int, Tensor] | None = None
    penalty: Tensor | None = None
    image: Tensor | None = None

    def picture(self, net: StyleGAN2, ws: Tensor | None = None) -> Tensor:
        """``B x C x R x R`` in about [-1, 1]; ``ws`` replaces the codes."""
        if self.image is not None:
            return self.image
        made = net.synthesis(self.ws if ws is None else ws, self.noises, self.content, self.start)
        assert isinstance(made, Tensor)
        return made


class Method(ABC):
    """One way of searching. Variables are a table of tensors whose first axis counts pictures.

    Attributes:
        steps, rate: as published; the caller may say otherwise.
        needs: capabilities of the generator that are used.
        perceptual: weight of the perceptual term where there is one. data: "mean" or "sum" of squares.
        stages: how often the variables change their meaning; the steps are shared between the stages.
        betas: Adam's. draws: how often the loss of a step is drawn and averaged.
        uses_generator: False for controls, which have pixels or weights of their own instead.
        simulates_noise: known noise is added to A x afresh at every step (SPHInX's way of denoising).
        noise: standard deviation of the noise known to be in the measurements, units of [0, 1]; told by the loop.
    """

    name = ""
    needs: frozenset[str] = frozenset({"w"})
    steps = 1000
    rate = 0.01
    perceptual = 1.0
    data = "mean"
    stages = 1
    betas = (0.9, 0.999)
    draws = 1
    uses_generator = True
    simulates_noise = False
    noise = 0.0

    def __init__(self, *, rate: float | None = None) -> None:
        if rate is not None:
            self.rate = rate

    def prepare(self, net: StyleGAN2, statistics: CodeStatistics) -> None:
        """Called once before anything else."""
        self.statistics = statistics

    @abstractmethod
    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        """Where the search starts. ``guess``: ``B x C x R x R`` in [-1, 1], a first look at the picture."""

    @abstractmethod
    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        """What the variables mean. ``progress`` from 0 to 1; 1 is also the final look."""

    def rates(self, v: Variables) -> dict[str, float]:
        """Learning rates of the variables that move."""
        return dict.fromkeys(v, self.rate)

    def factor(self, progress: float, key: str) -> float:
        """The schedule: what multiplies the rate of the variable ``key``."""
        return 1.0

    def after_step(self, net: StyleGAN2, v: Variables) -> None:  # noqa: B027 (most have nothing to do)
        """Brings variables back to where they may be (spheres, balls), in place."""

    def advance(self, net: StyleGAN2, v: Variables, draws: Draws, stage: int) -> Variables:
        """The variables of the next stage (from 1); the same ones unless a method says otherwise."""
        return v

    def freedom(self, v: Variables) -> int:
        """How many numbers are free per picture."""
        return sum(v[k][0].numel() for k in self.rates(v))


def ramped(progress: float, *, up: float = 0.05, down: float = 0.25) -> float:
    """Linear up over the first share, cosine to zero over the last (StyleGAN2's projector)."""
    falling = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - progress) / down))
    return min(1.0, progress / up) * falling if up else falling


def mean_codes(net: StyleGAN2, count: int) -> Tensor:
    """The mean code for every layer of ``count`` pictures, as new memory."""
    return net.repeat(net.w_mean.expand(count, -1)).clone()


def geodesic_cross(z: Tensor) -> Tensor:
    """B sums of squared angles between the codes ``B x L x d`` of different layers (PULSE, CVPR 2020)."""
    unit = torch.nn.functional.normalize(z, dim=2)
    cosine = (unit @ unit.transpose(1, 2)).clamp(-1 + 1e-6, 1 - 1e-6)
    off = ~torch.eye(z.shape[1], dtype=torch.bool, device=z.device)
    return (cosine.arccos().square() * off).sum((1, 2)) / 2
