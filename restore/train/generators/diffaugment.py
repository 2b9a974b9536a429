"""DiffAugment: the same kind of random change before the discriminator for real and made pictures.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020: colour, translation, cutout.
Pictures ``B x C x H x W`` in [-1, 1]; every sample draws its own parameters from the given generator (CPU).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def colour(x: Tensor, g: torch.Generator) -> Tensor:
    """Brightness U(-0.5, 0.5) added, saturation times U(0, 2), contrast times U(0.5, 1.5)."""
    b = len(x)
    x = x + _uniform(b, -0.5, 0.5, g, x)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * _uniform(b, 0, 2, g, x)
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * _uniform(b, 0.5, 1.5, g, x)


def translation(x: Tensor, g: torch.Generator, *, share: float = 1 / 8) -> Tensor:
    """Moved by whole pixels, at most ``share`` of the side each way; what comes in is 0 (mid grey)."""
    b, _, h, w = x.shape
    down = torch.randint(-round(h * share), round(h * share) + 1, (b, 1, 1), generator=g).to(x.device)
    right = torch.randint(-round(w * share), round(w * share) + 1, (b, 1, 1), generator=g).to(x.device)
    rows = (torch.arange(h, device=x.device).view(1, h, 1) - down + 1).clamp(0, h + 1)
    columns = (torch.arange(w, device=x.device).view(1, 1, w) - right + 1).clamp(0, w + 1)
    padded = F.pad(x, (1, 1, 1, 1))
    sample = torch.arange(b, device=x.device).view(b, 1, 1)
    return padded.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)


def cutout(x: Tensor, g: torch.Generator, *, share: float = 1 / 2) -> Tensor:
    """A square of ``share`` of the side somewhere, partly outside perhaps, set to 0 (mid grey)."""
    b, _, h, w = x.shape
    high, wide = round(h * share), round(w * share)
    top = torch.randint(0, h + (1 - high % 2), (b, 1, 1), generator=g).to(x.device) - high // 2
    left = torch.randint(0, w + (1 - wide % 2), (b, 1, 1), generator=g).to(x.device) - wide // 2
    rows = torch.arange(h, device=x.device).view(1, h, 1)
    columns = torch.arange(w, device=x.device).view(1, 1, w)
    gone = (rows >= top) & (rows < top + high) & (columns >= left) & (columns < left + wide)
    return x * (~gone)[:, None].to(x)


POLICIES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}


def diff_augment(
    x: Tensor, g: torch.Generator, policies: Sequence[str] = ("colour", "translation", "cutout")
) -> Tensor:
    """The named changes one after the other."""
    for name in policies:
        x = POLICIES[name](x, g)
    return x


def _uniform(count: int, low: float, high: float, g: torch.Generator, like: Tensor) -> Tensor:
    return (torch.rand(count, generator=g) * (high - low) + low).to(like).view(count, 1, 1, 1)
