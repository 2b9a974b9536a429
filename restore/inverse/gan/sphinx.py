"""SPHInX: heads fitted per picture to map fresh random codes, all of them, to styles that give the picture.

Subramanyam et al., "Improved StyleGAN-v2 based Inversion for Out-of-Distribution Images", ICML 2022. The mapping
network is replaced by a style head with a decoder of its own for every layer; its input is drawn anew at every step,
so that a neighbourhood of codes and not one code has to give the picture. Optionally the generator's constant is
replaced by the output of a content head, and the noise maps are free.
"""

from __future__ import annotations

from torch import Tensor

from restore.errors import UsageError
from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.heads import CONTENT_INPUTS, content, content_head, style_head, styles
from restore.inverse.gan.method import Inputs, Method, ramped
from restore.models.stylegan2 import BASE, StyleGAN2

MODES = ("resample", "fixed")
SCHEDULES = ("all", "original")


class Sphinx(Method):
    """The style head; with options the full method.

    Args:
        rate: 1e-3 as published for codes of 512, 5e-3 for narrower ones, unless given.
        content, noise: the content head; free noise maps.
        content_mode: "resample" draws the content head's input anew at every step, which converges slowly; "fixed"
            keeps one draw.
        resample: draws z anew at every step; without it the head is only another way to write one code.
        draws: how many draws a step averages over.
        schedule: "all" ramps every rate up and down; "original" only the style head's, as released.
    """

    name = "sphinx"
    steps = 5000
    perceptual = 1.5
    simulates_noise = True

    def __init__(
        self,
        *,
        rate: float | None = None,
        content: bool = False,
        noise: bool = False,
        content_mode: str = "resample",
        resample: bool = True,
        draws: int = 1,
        schedule: str = "all",
    ) -> None:
        super().__init__(rate=rate)
        if content_mode not in MODES or schedule not in SCHEDULES or draws < 1:
            raise UsageError(
                f"expected content_mode {' or '.join(MODES)}, schedule {' or '.join(SCHEDULES)} and draws from 1 on, "
                f"got {content_mode!r}, {schedule!r} and {draws}"
            )
        self.given_rate, self.content, self.noise = rate, content, noise
        self.content_mode, self.resample, self.draws, self.schedule = content_mode, resample, draws, schedule
        self.needs = frozenset({"w"} | ({"content"} if content else set()) | ({"noise"} if noise else set()))

    def variables(self, net: StyleGAN2, guess: Tensor, draws: Draws) -> Variables:
        if self.given_rate is None:
            self.rate = 1e-3 if net.w_dim >= 512 else 5e-3
        v = style_head(net.w_dim, net.num_ws, draws)
        # Fixed inputs are variables that do not move, so that they follow their picture.
        v["fixed z"] = draws.normal(net.num_ws, net.w_dim)
        if self.content:
            v |= content_head(net.content_shape()[0], draws)
            v["fixed c"] = draws.normal(CONTENT_INPUTS, BASE, BASE)
        if self.noise:
            v |= {f"noise{i}": draws.normal(*s) for i, s in enumerate(net.noise_shapes())}
        return v

    def rates(self, v: Variables) -> dict[str, float]:
        return {k: self.rate for k in v if not k.startswith("fixed")}

    def inputs(self, net: StyleGAN2, v: Variables, draws: Draws, progress: float) -> Inputs:
        z = draws.normal(net.num_ws, net.w_dim) if self.resample else v["fixed z"]
        made = Inputs(styles(v, z))
        if self.content:
            fresh = self.content_mode == "resample"
            made.content = content(v, draws.normal(CONTENT_INPUTS, BASE, BASE) if fresh else v["fixed c"])
        if self.noise:
            made.noises = [v[f"noise{i}"] for i in range(net.num_layers)]
        return made

    def factor(self, progress: float, key: str) -> float:
        if self.schedule == "original" and key.startswith(("content", "noise")):
            return 1.0
        return ramped(progress)
