"""Fits the head of the degradation classifier on the features of a pool."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.degradation_classifier import ClassifierHead

# From this severity on a family counts as there; below it by degrees.
THERE = 1.0


@dataclass(frozen=True)
class Fitted:
    """A head with the scaling of its input."""

    head: ClassifierHead
    center: Tensor
    scale: Tensor

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """``N x 2F`` of features ``N x D``."""
        return self.head(((x - self.center) * self.scale).clamp(-4, 4))


def fit_head(
    x: Tensor,
    severities: Tensor,
    *,
    encoded: int,
    weights: Tensor | None = None,
    hidden: int = 96,
    epochs: int = 30,
    batch: int = 256,
    lr: float = 1e-3,
    decay: float = 0.3,
    noise: float = 0.5,
    seed: int = 0,
) -> Fitted:
    """AdamW with a cosine to zero.

    Args:
        x: features ``N x D``, the encoding first.
        severities: ``N x F``, 0 (not there) to 5, NaN where nothing is said.
        encoded: how many of the features are the encoding.
        weights: how much every picture counts, mean 1; None: all alike.
        noise: deviation of what is added to scaled features, so that none is learned by heart.
    """
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed)
    center = x.median(0).values
    scale = 1 / x.std(0).clamp(min=1e-3)
    z = ((x - center) * scale).clamp(-4, 4)
    families = severities.shape[1]
    head = ClassifierHead(encoded, x.shape[1] - encoded, hidden=hidden, outputs=2 * families)
    optimizer = torch.optim.AdamW(head.parameters(), lr=lr, weight_decay=decay)
    count = torch.ones(len(x)) if weights is None else weights
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(x) // batch))
    for _ in range(epochs):
        for index in torch.randperm(len(x), generator=g).split(batch):
            inputs = z[index] + noise * torch.randn(len(index), z.shape[1], generator=g)
            loss = (classification_loss(head(inputs), severities[index]) * count[index, None]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return Fitted(head.eval().requires_grad_(False), center, scale)


def classification_loss(out: Tensor, severities: Tensor) -> Tensor:
    """``N x F``: cross entropy of what is there, and how far its severity is off; 0 where nothing is known."""
    logits, severity = out.float().chunk(2, 1)
    known = ~severities.isnan()
    target = severities.nan_to_num()
    there = (target / THERE).clamp(0, 1)
    named = F.binary_cross_entropy_with_logits(logits, there, reduction="none")
    off = F.smooth_l1_loss(severity, target, reduction="none") * (target > 0)
    return (named + 0.1 * off) * known
