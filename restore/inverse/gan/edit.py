"""Editing with a generator: walks learnt from changed copies of one picture, directions of attributes, morphing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.errors import UsageError
from restore.inverse.gan.adam import BatchedAdam, Variables
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.heads import style_head, styles
from restore.inverse.gan.method import ramped
from restore.models.stylegan2 import StyleGAN2

# Copies have to lie at least this far apart on the walk.
MARGIN = 2.0


@dataclass(frozen=True)
class Walk:
    """A picture and a direction for every layer's code.

    Attributes:
        ws: ``1 x num_ws x w_dim``, of the first copy. direction: the same shape, unit length per layer.
        places: where on the walk the copies lie, from 0.
    """

    ws: Tensor
    direction: Tensor
    places: Tensor

    def picture(self, net: StyleGAN2, alpha: float) -> Tensor:
        """``1 x C x R x R`` in [0, 1] at ``alpha``; 0 is the first copy."""
        with torch.no_grad():
            made = net.synthesis(self.ws + alpha * self.direction)
        assert isinstance(made, Tensor)
        return (made.clamp(-1, 1) + 1) / 2


def fit_walk(
    net: StyleGAN2,
    copies: Tensor,
    *,
    steps: int = 2000,
    rate: float = 5e-3,
    weight: float = 0.5,
    seed: int = 0,
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> Walk:
    """A direction along which one picture turns into its changed copies (SPHInX, section on editing).

    The codes of copy k are ``w + alpha_k D / |D|`` with one style head for w, one D per layer, alpha_0 = 0; the
    places alpha are pushed to grow by at least 2 from copy to copy.

    Args:
        copies: ``K x C x R x R`` in [0, 1], in order, the unchanged one first; two or more.

    Raises:
        UsageError: fewer than two copies, or of another size.
    """
    shape = (net.channels, net.resolution, net.resolution)
    if len(copies) < 2 or tuple(copies.shape[1:]) != shape:
        raise UsageError(f"expected two or more pictures {shape}, got {tuple(copies.shape)}")
    net.requires_grad_(False)
    device = net.constant.device
    target = copies.to(net.constant) * 2 - 1
    draws = Draws([seed], "walk", device=device)
    v = style_head(net.w_dim, net.num_ws, draws)
    v["direction"] = draws.normal(net.num_ws, net.w_dim)
    v["alpha"] = torch.zeros(1, len(copies) - 1, device=device)
    adam = BatchedAdam(v, dict.fromkeys(v, rate) | {"alpha": 4 * rate})
    for step in range(steps):
        for value in v.values():
            value.requires_grad_(True)
        made = net.synthesis(_along(v, styles(v, draws.normal(net.num_ws, net.w_dim)), v["alpha"][0]))
        assert isinstance(made, Tensor)
        loss = (made - target).square().mean() + weight * spacing(v["alpha"][0])
        gradients = torch.autograd.grad(loss, list(v.values()))
        for value in v.values():
            value.requires_grad_(False)
        factor = ramped(step / steps)
        adam.step(dict(zip(v, gradients, strict=True)), dict.fromkeys(v, factor))
        if step % max(steps // 10, 1) == 0:
            report(step, steps, float(loss.detach()))
    ws = styles(v, Draws([seed], "final", device=device).normal(net.num_ws, net.w_dim))
    places = torch.cat([torch.zeros(1, device=device), v["alpha"][0]])
    return Walk(ws, F.normalize(v["direction"], dim=2), places)


def spacing(alpha: Tensor) -> Tensor:
    """Sum over copies 1 ... of how much each lies less than 2 from 0, and less than 2 before the next."""
    total = F.relu(MARGIN - alpha[:1]).sum() if len(alpha) == 1 else F.relu(MARGIN - alpha[:-1]).sum()
    return total + F.relu(MARGIN - alpha.diff()).sum()


def attribute_direction(
    net: StyleGAN2, score: Callable[[Tensor], Tensor], *, count: int = 2000, seed: int = 0
) -> Tensor:
    """The direction in W along which a score of pictures grows fastest: ``w_dim``, moving by one raises it by one.

    Least squares of the score on the codes of ``count`` pictures that the generator makes itself; added to the codes
    of any picture, also one unlike those it was trained on (``ws + alpha v``).

    Args:
        score: ``B x C x R x R`` in [0, 1] to B numbers (brightness, width, a classifier's logit ...).
    """
    g = torch.Generator().manual_seed(seed)
    codes, values = [], []
    with torch.no_grad():
        for _ in range(0, count, 200):
            w = net.mapping(torch.randn(min(200, count), net.z_dim, generator=g).to(net.constant))
            made = net.synthesis(net.repeat(w))
            assert isinstance(made, Tensor)
            codes.append(w)
            values.append(score((made.clamp(-1, 1) + 1) / 2))
    w, s = torch.cat(codes).double(), torch.cat(values).double()
    w = w - w.mean(0)
    # A little ridge: directions that the mapping does not use say nothing about the score.
    gram = (
        w.T @ w
        + 1e-3 * float(w.square().sum()) / w.shape[1] * torch.eye(w.shape[1], device=w.device).double()
    )
    slope = torch.linalg.solve(gram, w.T @ (s - s.mean()))
    return (slope / slope.square().sum().clamp(min=1e-12)).float()


def morph(net: StyleGAN2, first: Tensor, second: Tensor, shares: Sequence[float]) -> Tensor:
    """Pictures in [0, 1] between two codes ``num_ws x w_dim``, one per share: 0 the first, 1 the second."""
    with torch.no_grad():
        made = net.synthesis(torch.stack([torch.lerp(first, second, s) for s in shares]))
    assert isinstance(made, Tensor)
    return (made.clamp(-1, 1) + 1) / 2


def _along(v: Variables, ws: Tensor, alpha: Tensor) -> Tensor:
    """``K x num_ws x w_dim``: the codes of all copies."""
    places = torch.cat([alpha.new_zeros(1), alpha]).view(-1, 1, 1)
    return ws + places * F.normalize(v["direction"], dim=2)
