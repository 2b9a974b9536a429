"""Methods by name, those that need an encoder included; encoders are trained once, on the generator's own pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from restore.inverse.gan.encoded import Encoded, InDomain
from restore.inverse.gan.layers import base_layer
from restore.inverse.gan.method import Method
from restore.inverse.gan.methods import METHODS, method_named
from restore.inverse.gan.train_encoder import train_base_encoder, train_style_encoder
from restore.models.stylegan2 import StyleGAN2
from restore.names import parse_name

ENCODED: dict[str, type[Encoded]] = {"psp": Encoded, "in-domain": InDomain}


class Workshop:
    """Makes methods for one generator.

    Args:
        encoder_steps: how long an encoder is trained before its first use; always the same for a seed.
        report: told when training begins.
    """

    def __init__(
        self,
        net: StyleGAN2,
        *,
        encoder_steps: int = 3000,
        seed: int = 0,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.net, self.encoder_steps, self.seed, self.report = net, encoder_steps, seed, report
        self._made: dict[str | int, Any] = {}

    def named(self, spec: str) -> Method:
        """The method; ``psp``, ``in-domain`` and ``bdinvert`` bring their encoder.

        Raises:
            UsageError: an unknown name or option.
        """
        name, options = parse_name(spec)
        if name in ENCODED and set(options) <= {"rate"}:
            rate = options.get("rate")
            return ENCODED[name](self._style(), rate=None if rate is None else float(rate))
        if name == "bdinvert":
            return method_named(spec, encoder=self._base(options.get("layer")))
        return method_named(spec, known={**METHODS, **ENCODED})

    def _style(self) -> Any:
        if "style" not in self._made:
            self.report(f"training the encoder of styles, {self.encoder_steps} steps")
            self._made["style"] = train_style_encoder(self.net, steps=self.encoder_steps, seed=self.seed)
        return self._made["style"]

    def _base(self, layer: Any) -> Any:
        which = base_layer(self.net, 0.25) if layer is None else int(layer)
        if which not in self._made:
            self.report(f"training the encoder of layer {which}, {self.encoder_steps} steps")
            self._made[which] = train_base_encoder(self.net, which, steps=self.encoder_steps, seed=self.seed)
        return self._made[which]
