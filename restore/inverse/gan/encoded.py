"""Methods that ask an encoder: pSp-style (nothing else), and in-domain inversion (it starts and stays there)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.method import Inputs, Method
from restore.models.style_encoder import StyleEncoder
from restore.models.stylegan2 import StyleGAN2


class Encoded(Method):
    """The encoder's codes as they are (pSp, Richardson et al., CVPR 2021: offsets from the mean code)."""

    name = "psp"
    steps = 0

    def __init__(self, encoder: StyleEncoder, *, rate: float | None = None) -> None:
        super().__init__(rate=rate)
        self.encoder = encoder.eval().requires_grad_(False)

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        with torch.no_grad():
            return {"ws": net.w_mean + self.encoder(guess)}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        return Inputs(v["ws"])


class InDomain(Encoded):
    """From the encoder's codes on, held where the encoder agrees with the picture made (Zhu et al., ECCV 2020).

    Penalty: twice the mean squared difference between the codes and the encoder's view of their picture.
    """

    name = "in-domain"
    steps, rate = 100, 0.01
    perceptual = 5e-5
    weight = 2.0

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        made = net.synthesis(v["ws"])
        assert isinstance(made, Tensor)
        seen = net.w_mean + self.encoder(made)
        return Inputs(v["ws"], penalty=self.weight * (v["ws"] - seen).square().mean((1, 2)))
