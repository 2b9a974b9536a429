"""Training the encoders on what the generator makes: no data of anybody is needed, and truth is known."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.models.style_encoder import BaseEncoder, StyleEncoder
from restore.models.stylegan2 import StyleGAN2


def train_style_encoder(
    net: StyleGAN2,
    *,
    steps: int = 3000,
    batch: int = 16,
    rate: float = 1e-3,
    code_weight: float = 0.1,
    width: int = 32,
    seed: int = 0,
    real: Callable[[Tensor], Tensor] | None = None,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> StyleEncoder:
    """Pictures of S(M(z)) to codes: squared error of the picture made again, plus that of the codes.

    Args:
        real: indices of randomness to a batch of real pictures in [-1, 1] (given a seed tensor), used every second
            step without the code term; None: synthetic ones only.
    """
    torch.manual_seed(seed)
    encoder = StyleEncoder(channels=net.channels, num_ws=net.num_ws, w_dim=net.w_dim, width=width)

    def loss(x: Tensor, w: Tensor | None) -> Tensor:
        ws = net.w_mean + encoder(x)
        made = net.synthesis(ws)
        assert isinstance(made, Tensor)
        error = (made - x).square().mean()
        return error if w is None else error + code_weight * (ws - w[:, None]).square().mean()

    def batch_of(step: int) -> tuple[Tensor, Tensor | None]:
        if real is not None and step % 2:
            return real(torch.tensor([draw.child_seed(seed, "real", step)])), None
        return _made(net, batch, draw.child_seed(seed, "encoder", step))

    _fit(encoder, loss, batch_of, steps, rate, report)
    return encoder


def train_base_encoder(
    net: StyleGAN2,
    layer: int,
    *,
    steps: int = 3000,
    batch: int = 16,
    rate: float = 1e-3,
    width: int = 32,
    seed: int = 0,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> BaseEncoder:
    """Pictures to the features of ``layer`` they were made with (BDInvert): squared error."""
    torch.manual_seed(seed)
    shape = net.feature_shapes()[layer]
    encoder = BaseEncoder(channels=net.channels, shape=shape, resolution=net.resolution, width=width)

    def loss(x: Tensor, w: Tensor | None) -> Tensor:
        assert w is not None
        with torch.no_grad():
            target = net.lower(net.repeat(w), layer)
        return (encoder(x) - target).square().mean()

    _fit(
        encoder,
        loss,
        lambda step: _made(net, batch, draw.child_seed(seed, "base", step)),
        steps,
        rate,
        report,
    )
    return encoder


def _made(net: StyleGAN2, count: int, seed: int) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        w = net.mapping(torch.randn(count, net.z_dim, generator=draw.generator(seed)))
        made = net.synthesis(net.repeat(w))
    assert isinstance(made, Tensor)
    return made, w


def _fit(
    encoder: nn.Module,
    loss: Callable[[Tensor, Tensor | None], Tensor],
    batch_of: Callable[[int], tuple[Tensor, Tensor | None]],
    steps: int,
    rate: float,
    report: Callable[[int, float], None],
) -> None:
    """Adam, a tenth of the rate over the last third."""
    optimizer = torch.optim.Adam(encoder.parameters(), lr=rate)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.1 if step > steps * 2 / 3 else 1.0)
        value = loss(*batch_of(step))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        if step % max(steps // 20, 1) == 0:
            report(step, float(value.detach()))
    encoder.eval().requires_grad_(False)
