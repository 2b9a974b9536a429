"""BM3D: similar blocks are stacked and denoised together (Dabov, Foi, Katkovnik & Egiazarian, TIP 2007).

Written from that paper, its colour companion (ICIP 2007: matching on luminance alone) and the analysis of
Lebrun (IPOL 2012). Two stages: hard thresholding of the stacks gives a basic estimate; the second stage finds
the stacks in that estimate and weighs the noisy ones by empirical Wiener factors.

How it is laid out here: distances are matrix products (|a - b|^2 = |a|^2 + |b|^2 - 2ab) of the blocks of a
neighbourhood; every block is transformed once, and not once per stack; the estimates of one block from all its
stacks are summed as coefficients, so that each is also transformed back once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from restore.classical.each import per_picture
from restore.classical.transforms import biorthogonal_matrix, dct_matrix, haar_matrix

BLOCK = 8
STEP = 3
SEARCH = 19  # pixels to each side: windows of 39 x 39
# Threshold in sigmas (the paper has 2.7), and the part of the noise variance in Wiener's factor (the paper has 1):
# measured on photographs at sigma 15, 25 and 50.
LAMBDA = 2.9
MU = 0.7
# Reference blocks along the side of a neighbourhood whose distances are one matrix product, and bands of such.
_SIDE = 8
_BAND = 8


@dataclass(frozen=True)
class Stage:
    """What differs between the stages (Dabov et al., table I; tau per pixel, squared units of [0, 1])."""

    transform: str
    stack: int
    tau: float
    beta: float


def bm3d(x: Tensor, *, sigma: float | Tensor, stages: int = 2) -> Tensor:
    """BM3D for grey pictures, CBM3D for RGB (three channels; any other number goes plane by plane).

    Args:
        x: ``B x C x H x W``; noise may reach outside [0, 1].
        sigma: standard deviation of the (white) noise in units of [0, 1], one for all pictures or one each;
            0 returns the picture as it is.
        stages: 1 stops after hard thresholding: half the time, about 0.4 dB less.

    Returns:
        A tensor like ``x``, not clipped, without gradient.

    Raises:
        UsageError: a negative or non-finite sigma, or another number of them than of pictures.
    """
    made = []
    with torch.no_grad():
        for picture, s in zip(x.detach(), per_picture(x, sigma, name="sigma"), strict=True):
            groups = [picture] if picture.shape[0] == 3 else list(picture.split(1))
            y = [_denoise(g.float(), s, stages) if s > 0 else g for g in groups]
            made.append(torch.cat(y).to(x.dtype))
    return torch.stack(made).clone() if len(made) else x.clone()


def _denoise(x: Tensor, sigma: float, stages: int) -> Tensor:
    """``C x H x W``, C = 1 or 3."""
    height, width = x.shape[1:]
    colour = x.shape[0] == 3
    # Opponent colours with equal noise in each: the DCT over the channels (first: luminance).
    mix = dct_matrix(3, x.device) if colour else torch.ones(1, 1, device=x.device)
    y = torch.einsum("ij,jhw->ihw", mix, x)
    y = _pad_to_grid(y)
    scale = 3.0 if colour else 1.0  # luminance has 3 times the range squared
    first, second = _stages(sigma * 255, scale)
    estimate = _collaborate(y, None, sigma, first)
    if stages > 1:
        estimate = _collaborate(y, estimate, sigma, second)
    estimate = estimate[:, :height, :width]
    return torch.einsum("ij,ihw->jhw", mix, estimate)


def _stages(sigma: float, scale: float) -> tuple[Stage, Stage]:
    """Equal blocks differ by 2 sigma^2 for the noise alone, which a fixed tau forgets: with sigma 50 it shut out half
    of them. What noise the basic estimate keeps grows likewise, measured on photographs."""
    return (
        Stage("bior1.5", 16, (3000.0 * scale + 2 * sigma**2) / 255**2, 2.0),
        Stage("dct", 32, max(600.0, 0.6 * sigma**2) / 255**2 * scale, 2.0),
    )


def _pad_to_grid(x: Tensor) -> Tensor:
    """Mirrors the right and lower border so that reference blocks end flush: at most 2 pixels, or up to 8."""
    for axis in (-2, -1):
        n = x.shape[axis]
        want = max(BLOCK + math.ceil(max(n - BLOCK, 0) / STEP) * STEP, BLOCK)
        index = torch.arange(want, device=x.device) % max(2 * n, 1)
        x = x.index_select(axis, torch.where(index < n, index, 2 * n - 1 - index))
    return x


def _collaborate(noisy: Tensor, basic: Tensor | None, sigma: float, stage: Stage) -> Tensor:
    """One stage over ``C x H x W``."""
    c, height, width = noisy.shape
    device = noisy.device
    forward = dct_matrix(BLOCK, device) if stage.transform == "dct" else biorthogonal_matrix(BLOCK, device)
    forward = torch.kron(forward, forward)
    inverse = torch.linalg.inv(forward)
    line = torch.kaiser_window(BLOCK, periodic=False, beta=stage.beta, device=device)
    window = (line[:, None] * line).flatten()
    rows = (height - BLOCK) // STEP + 1
    total = torch.zeros_like(noisy)
    weight = torch.zeros_like(noisy)
    for start in range(0, rows, _SIDE * _BAND):
        stop = min(start + _SIDE * _BAND, rows)
        top = max(start * STEP - SEARCH, 0)
        bottom = min((stop - 1) * STEP + SEARCH + BLOCK, height)
        blocks = _blocks(noisy[:, top:bottom])
        luminance = blocks if basic is None else _blocks(basic[:, top:bottom])
        places, counts = _match(
            luminance[:, 0],
            bottom - top - BLOCK + 1,
            width - BLOCK + 1,
            range(start * STEP - top, (stop - 1) * STEP - top + 1, STEP),
            stage,
        )
        coefficients = blocks @ forward.T
        guide = None if basic is None else luminance @ forward.T
        sums = torch.zeros_like(coefficients)
        weights = coefficients.new_zeros(coefficients.shape[:2])
        for size in counts.unique().tolist():
            chosen = places[counts == size, :size]
            _filter(coefficients, guide, chosen, sigma, sums, weights)
        n = blocks.shape[0]
        patches = torch.matmul((inverse * window[:, None]), sums.permute(1, 2, 0))
        shape = (bottom - top, width)
        total[:, top:bottom] += F.fold(patches, shape, BLOCK)[:, 0]
        spread = window[:, None] * weights.T.reshape(c, 1, n)
        weight[:, top:bottom] += F.fold(spread, shape, BLOCK)[:, 0]
    return total / weight


def _blocks(x: Tensor) -> Tensor:
    """Every 8 x 8 block of ``C x H x W`` as ``N x C x 64``."""
    c = x.shape[0]
    return x.unfold(1, BLOCK, 1).unfold(2, BLOCK, 1).permute(1, 2, 0, 3, 4).reshape(-1, c, BLOCK * BLOCK)


def _match(blocks: Tensor, height: int, width: int, rows: range, stage: Stage) -> tuple[Tensor, Tensor]:
    """The most similar blocks within the search window of each reference block.

    Args:
        blocks: ``height * width x 64``.
        rows: rows of the reference blocks; their columns are every third.

    Returns:
        ``R x stack`` places, nearest first (the block itself is), and R sizes of the stacks, powers of two.
    """
    reach = SEARCH
    blocks = blocks - 0.5  # smaller products, less rounding
    grid = F.pad(blocks.view(height, width, -1), (0, 0, reach, reach, reach, reach))
    energy = F.pad(blocks.square().sum(1).view(height, width), (reach,) * 4, value=float("inf"))
    columns = range(0, width, STEP)
    span = 2 * reach + 1
    places, near = [], []
    offset = torch.arange(span * span, device=blocks.device)
    offset = (offset // span - reach) * width + offset % span - reach
    for i in range(0, len(rows), _SIDE):
        for j in range(0, len(columns), _SIDE):
            ys, xs = rows[i : i + _SIDE], columns[j : j + _SIDE]
            deep, wide = ys[-1] - ys[0] + span, xs[-1] - xs[0] + span
            around = grid[ys[0] : ys[0] + deep, xs[0] : xs[0] + wide]
            mine = around[reach : deep - reach : STEP, reach : wide - reach : STEP].reshape(
                -1, blocks.shape[1]
            )
            table = torch.addmm(
                energy[ys[0] : ys[0] + deep, xs[0] : xs[0] + wide].reshape(1, -1),
                mine,
                around.reshape(deep * wide, -1).T,
                alpha=-2,
            )
            # The window of reference (p, q) starts at (p * STEP, q * STEP) of the neighbourhood.
            across = deep * wide
            own = table.as_strided(
                (len(ys), len(xs), span, span),
                (len(xs) * across + STEP * wide, across + STEP, wide, 1),
            ).reshape(len(mine), span * span)
            own = own + mine.square().sum(1, keepdim=True)
            own[:, span * reach + reach] = -1
            values, index = own.topk(min(stage.stack, span * span), largest=False)
            base = torch.tensor([[y * width + x for x in xs] for y in ys], device=blocks.device).view(-1, 1)
            places.append(base + offset[index])
            near.append(values)
    similar = (torch.cat(near) <= stage.tau * blocks.shape[1]).sum(1)
    sizes = 2 ** torch.floor(torch.log2(similar.double())).long()
    return torch.cat(places), sizes


def _filter(
    coefficients: Tensor, guide: Tensor | None, places: Tensor, sigma: float, sums: Tensor, weights: Tensor
) -> None:
    """Shrinks stacks of one size and adds them to the sums of their blocks.

    Args:
        coefficients: ``N x C x 64``.
        places: ``R x size`` indices below N.
        sums: ``N x C x 64``, changed in place, as is ``weights`` (``N x C``).
    """
    stacks, size = places.shape
    _, c, taps = coefficients.shape
    haar = haar_matrix(size, coefficients.device)
    order = places.T.reshape(-1)

    def spectrum(of: Tensor) -> Tensor:
        return haar @ of.view(-1, c * taps)[order].view(size, -1)

    y = spectrum(coefficients).view(size, stacks, c, taps)
    if guide is None:
        kept = y.abs() > LAMBDA * sigma
        kept[0, :, 0, 0] = True  # the mean light of a stack is not noise
        y = y * kept
        strength = 1 / kept.sum((0, 3)).clamp(min=1).to(y)
    else:
        power = spectrum(guide).view(size, stacks, c, taps).square_()
        factor = power.div_(power + MU * sigma**2)
        factor[0, :, 0, 0] = 1
        y = y * factor
        strength = 1 / factor.square_().sum((0, 3)).clamp(min=1e-6)
    y = (haar.T @ (y * strength[None, :, :, None]).view(size, -1)).view(-1, c * taps)
    sums.view(-1, c * taps).index_add_(0, order, y)
    weights.index_add_(0, order, strength.repeat(size, 1))
