"""The terms of adversarial training: logistic losses, R1, path length.

Goodfellow et al. 2014 (non-saturating logistic loss); Mescheder et al., ICML 2018 (R1); Karras et al., CVPR 2020,
section 3.2 (path length regularisation).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake: Tensor) -> Tensor:
    """Of logits of made pictures: mean -log sigmoid(D(G(z)))."""
    return F.softplus(-fake).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Mean -log sigmoid(D(x)) - log(1 - sigmoid(D(G(z))))."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def r1_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """Mean squared length of the gradient of D at real pictures (which must require gradients)."""
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def path_lengths(made: Tensor, ws: Tensor, g: torch.Generator) -> Tensor:
    """B lengths of J' y for y ~ N(0, 1) / sqrt(pixels): root of the mean over layers of the squared length.

    Args:
        made: pictures from ``ws`` (``B x num_ws x w_dim``, which must require gradients).
    """
    noise = torch.randn(made.shape, generator=g).to(made) / math.sqrt(made.shape[-1] * made.shape[-2])
    (gradient,) = torch.autograd.grad((made * noise).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
