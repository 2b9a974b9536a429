"""ADA: augmentations applied with a probability that follows how far the discriminator overfits.

Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020 (appendix B): pixel blitting,
general geometric and colour changes, each with probability p. Resampling is bilinear at twice the resolution behind
the generator's own low-pass filter (the paper uses a longer wavelet filter); parameters are drawn on the CPU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.models.stylegan2_layers import filter_same, filter_up


def augment(x: Tensor, p: float, g: torch.Generator) -> Tensor:
    """``B x C x H x W`` in [-1, 1], every change with probability ``p`` per sample; borders are mirrored."""
    if p <= 0:
        return x
    return _colour(_geometry(_blit(x, p, g), p, g), p, g)


def next_probability(p: float, mean_sign: float, *, images: int, target: float, span: float) -> float:
    """p after ``images`` pictures whose mean sign of D(real) was ``mean_sign``: towards ``target``, from 0 to 1.

    ``span`` is the number of pictures in which p can go from 0 to 1 (500,000 in the paper).
    """
    step = images / span
    return min(max(p + math.copysign(step, mean_sign - target), 0.0), 1.0)


def _blit(x: Tensor, p: float, g: torch.Generator) -> Tensor:
    """Mirror, quarter turns, shifts by whole pixels (an eighth of the side), all exact."""
    out = []
    for sample in x:
        chance = torch.rand(3, generator=g)
        flip = bool(torch.rand(1, generator=g) < 0.5)
        quarters = int(torch.randint(0, 4, (1,), generator=g))
        share = torch.rand(2, generator=g) * 2 - 1
        if chance[0] < p and flip:
            sample = sample.flip(-1)
        if chance[1] < p:
            sample = sample.rot90(quarters, (-2, -1))
        if chance[2] < p:
            down, right = (round(float(s) * x.shape[-1] / 8) for s in share)
            sample = _shifted(sample, down, right)
        out.append(sample)
    return torch.stack(out)


def _shifted(sample: Tensor, down: int, right: int) -> Tensor:
    """Moved, the border mirrored."""
    most = max(abs(down), abs(right))
    if most == 0:
        return sample
    wide = F.pad(sample[None], (most,) * 4, mode="reflect")[0]
    h, w = sample.shape[-2:]
    return wide[:, most - down : most - down + h, most - right : most - right + w]


def _geometry(x: Tensor, p: float, g: torch.Generator) -> Tensor:
    """Isotropic scaling, rotation (before and after anisotropic scaling), anisotropic scaling, sub-pixel shift."""
    b = len(x)
    rotate = 1 - math.sqrt(1 - p)  # two rotations together have probability p
    matrices = torch.eye(3).repeat(b, 1, 1)
    matrices = _scale(*(_log_normal(b, p, g),) * 2) @ matrices
    matrices = _rotation(_angle(b, rotate, g)) @ matrices
    stretch = _log_normal(b, p, g)
    matrices = _scale(stretch, 1 / stretch) @ matrices
    matrices = _rotation(_angle(b, rotate, g)) @ matrices
    shift = torch.randn(b, 2, generator=g) / 8 * 2 * (torch.rand(b, 1, generator=g) < p)
    matrices[:, :2, 2] += shift
    fine = filter_up(F.pad(x, (4,) * 4, mode="reflect"))
    ratio = x.shape[-1] / (x.shape[-1] + 8)  # the picture's share of the padded one
    theta = torch.linalg.inv(matrices)[:, :2].to(x)
    theta[:, :, 2] *= ratio
    grid = F.affine_grid(theta, list(fine.shape), align_corners=False)
    moved = F.grid_sample(fine, grid, padding_mode="reflection", align_corners=False)
    return filter_same(moved, padding=1, stride=2)[..., 4:-4, 4:-4]


def _colour(x: Tensor, p: float, g: torch.Generator) -> Tensor:
    """Brightness, contrast, and for colour: luma flip, hue rotation, saturation, as one matrix per sample."""
    b, c = x.shape[:2]
    brightness = torch.randn(b, 1, 1, 1, generator=g) * 0.2 * (torch.rand(b, 1, 1, 1, generator=g) < p)
    contrast = _log_normal(b, p, g, 0.5).view(b, 1, 1, 1)
    x = (x + brightness.to(x)) * contrast.to(x)
    if c == 1:
        return x
    axis = torch.full((3,), 1 / math.sqrt(3))
    along = torch.outer(axis, axis)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    flip = ((torch.rand(b, generator=g) < 0.5) & (torch.rand(b, generator=g) < p)).float().view(b, 1, 1)
    matrix = torch.eye(3) - 2 * along * flip
    angle = _angle(b, p, g).view(b, 1, 1)
    hue = along + (torch.eye(3) - along) * angle.cos() + cross * angle.sin()
    saturation = _log_normal(b, p, g, 1.0).view(b, 1, 1)
    matrix = (along + (torch.eye(3) - along) * saturation) @ hue @ matrix
    return torch.einsum("bij,bjhw->bihw", matrix.to(x), x)


def _log_normal(count: int, p: float, g: torch.Generator, spread: float = 0.2) -> Tensor:
    """2^(spread N(0, 1)) with probability p, else 1."""
    drawn = torch.exp2(torch.randn(count, generator=g) * spread)
    return torch.where(torch.rand(count, generator=g) < p, drawn, 1.0)


def _angle(count: int, p: float, g: torch.Generator) -> Tensor:
    drawn = (torch.rand(count, generator=g) * 2 - 1) * math.pi
    return torch.where(torch.rand(count, generator=g) < p, drawn, 0.0)


def _scale(across: Tensor, down: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([across, down, torch.ones_like(down)], 1))


def _rotation(angle: Tensor) -> Tensor:
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).view(-1, 3, 3)
