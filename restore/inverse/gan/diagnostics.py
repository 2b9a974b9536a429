"""What an inversion is worth beyond its picture: is it stable, likely, and made of fewer numbers than pixels?"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from restore.degradations.operators import Operator, identity
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.fit import Inverter
from restore.inverse.gan.inversion import Inversion
from restore.metrics import psnr

DRAWS = 16
# Perturbations of the codes, in standard deviations of the generator's codes.
SHAKES = (0.1, 0.3)


def diagnose(
    inverter: Inverter,
    found: Inversion,
    y: Tensor,
    operator: Operator | None = None,
    *,
    truth: Tensor | None = None,
    draws: int = DRAWS,
) -> list[dict[str, Any]]:
    """One record per picture, also stored in ``found.diagnostics``.

    Keys: ``psnr`` of the picture returned, its ``psnr_mean`` and ``psnr_min`` over draws (against ``truth`` or, without
    one, of A x against y); ``image_std`` over draws (units of [0, 1]); ``w_std``: spread of the codes over draws
    relative to their norm; ``psnr_shaken_0.1`` and ``_0.3`` after noise of that many standard deviations of the
    generator's codes on every layer's code; ``freedom``: free numbers per value of the picture; ``code_norm``: mean
    square of the whitened codes (1 is what the generator itself draws); ``residual``: |A x - y| / |y|; ``steps``.
    What concerns codes is NaN for controls without a generator.

    Args:
        truth: ``N x C x R x R`` in [0, 1].
    """
    net = inverter.net
    shape = (net.channels, net.resolution, net.resolution)
    operator = identity(shape) if operator is None else operator
    y = y.to(net.constant)

    def score(x: Tensor) -> Tensor:
        x = (x.clamp(-1, 1) + 1) / 2
        if truth is not None:
            return psnr(x, truth.to(x))
        error = (operator(x) - y).square().flatten(1).mean(1).double()
        return -10 * torch.log10(error)

    looks, codes = zip(
        *(inverter.look(found.latents, found.seeds, "draw", k) for k in range(draws)), strict=True
    )
    scores = torch.stack([score(x) for x in looks])
    spread_w = torch.stack(list(codes)).std(0, unbiased=False).square().sum((1, 2)).sqrt()
    shaken = {s: _shaken(inverter, found, s, score) for s in SHAKES}
    measured = operator(found.image)
    residual = (measured - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1).clamp(min=1e-12)
    whitened = inverter.statistics.whiten(found.ws).square().mean((1, 2))
    returned = score(found.image * 2 - 1)
    images = torch.stack([(x.clamp(-1, 1) + 1) / 2 for x in looks]).std(0, unbiased=False)
    coded = inverter.method.uses_generator
    free = inverter.method.freedom(found.latents) / math.prod(shape)
    found.diagnostics = [
        {
            "psnr": float(returned[i]),
            "psnr_mean": float(scores[:, i].mean()),
            "psnr_min": float(scores[:, i].min()),
            "image_std": float(images[i].mean()),
            "w_std": float(spread_w[i] / codes[0][i].norm().clamp(min=1e-12)) if coded else math.nan,
            **{f"psnr_shaken_{s:g}": float(shaken[s][i]) if coded else math.nan for s in SHAKES},
            "freedom": free,
            "code_norm": float(whitened[i]) if coded else math.nan,
            "residual": float(residual[i]),
            "steps": found.steps[i],
        }
        for i in range(len(y))
    ]
    return found.diagnostics


def _shaken(inverter: Inverter, found: Inversion, strength: float, score: Any) -> Tensor:
    net = inverter.net
    with torch.no_grad():
        draws = Draws(found.seeds, "final", device=net.constant.device)
        inputs = inverter.method.inputs(net, found.latents, draws, 1.0)
        noise = Draws(found.seeds, "shake", device=net.constant.device).normal(*inputs.ws.shape[1:])
        return score(inputs.picture(net, inputs.ws + strength * inverter.statistics.std * noise))
