"""Noise taught without pairs: what a network makes of a dimmed good picture must not depend on noise added to it.

Dimmed pictures of the well-lit side are clean, so the network's own answer to them (without gradient) is a target
without noise. Half of them are dimmed by a number and get Gaussian noise; half are photographed again by a simulated
camera in less light, with the noise of its sensor and without: that is the noise of real darkness, coloured and
correlated by the mosaic. Nothing is known of any dark picture's truth; not part of the published EnlightenGAN.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.degradations.lowlight import LOW_LIGHT
from restore.image import quantise

# Dimmed by up to this divisor, as dark pictures are.
DIMMEST = 6.0
_CAMERA = LOW_LIGHT.with_values(severity="0.5..4")
_QUIET = {"shot": 1e-9, "read": 1e-12}


def calm_pairs(
    normal: Tensor, *, batch: int, part: slice, sigma: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """``{"dim", "noisy"}``: the pictures with less light, and the same with noise, clipped and rounded to 8 bits.

    Args:
        normal: ``B x 3 x H x W`` in [0, 1]: the share ``part`` of a batch of ``batch``.
        sigma: largest standard deviation of Gaussian noise, in units of [0, 1]. Half of its fields are coarse (of
            pixels twice as large), as a scaled picture's noise is.
    """
    seeds = draw.draw_seeds(batch, generator)[part]
    divisors, strengths, kinds = (
        draw.draw_uniform(batch, low, high, generator)[part].to(normal).view(-1, 1, 1, 1)
        for low, high in ((1.0, DIMMEST), (0.0, sigma), (0.0, 1.0))
    )
    by_camera = (
        (draw.draw_uniform(batch, 0.0, 1.0, generator) < 0.5)[part].to(normal.device).view(-1, 1, 1, 1)
    )
    shot = _CAMERA.sample((batch, *normal.shape[1:]), generator=generator).select(part)
    quiet = replace(
        shot, values={k: torch.full_like(v, _QUIET[k]) if k in _QUIET else v for k, v in shot.values.items()}
    )
    fine = draw.normal_fields(seeds, tuple(normal.shape[1:])).to(normal)
    coarse = F.interpolate(F.avg_pool2d(fine, 2, ceil_mode=True), size=fine.shape[-2:], mode="bilinear")
    coarse = coarse / coarse.std((1, 2, 3), keepdim=True)
    plain = normal / divisors
    dim = torch.where(by_camera, _CAMERA.apply(normal, quiet), plain)
    grainy = plain + strengths * torch.where(kinds < 0.5, coarse, fine)
    noisy = quantise(torch.where(by_camera, _CAMERA.apply(normal, shot), grainy))
    layout = torch.channels_last
    return {"dim": dim.contiguous(memory_format=layout), "noisy": noisy.contiguous(memory_format=layout)}


def cleans(net: nn.Module) -> bool:
    """Whether a network takes noise away in a step of its own."""
    return getattr(net, "refine", None) is not None


def lit(net: nn.Module, x: Tensor) -> Tensor:
    """What a network makes of ``x`` before it takes noise away in a step of its own, if it does."""
    return net(x, noisy=True) if cleans(net) else net(x)


def calm_loss(net: nn.Module, dim: Tensor, noisy: Tensor) -> Tensor:
    """Mean absolute difference between the answers to both; no gradient goes through the one to ``dim``.

    A network that takes noise away in a step of its own (``refine``) is asked for its answer to ``dim`` without it.
    """
    with torch.no_grad():
        target = lit(net, dim).float()
    return (net(noisy).float() - target).abs().mean()
