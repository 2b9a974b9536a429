"""Classifiers made for bad pictures: the honest rival of a restorer is to train on what will come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.degradations import degradation
from restore.downstream.suite import suite

Augment = Callable[[Tensor, torch.Generator], Tensor]


def degrading(
    names: Sequence[str],
    severities: Sequence[float],
    *,
    mean: Tensor,
    std: Tensor,
    before: Augment,
    clean_share: float = 0.3,
) -> Augment:
    """Augmentation by the suite itself: every batch gets one of its cells, some of its pictures none.

    A classifier trained so has seen the very corruptions it is judged on; it is the upper end of what training can do,
    and is to be called that.

    Args:
        mean, std: the classifier's normalisation, which is undone and done again.
        before: shifts and flips, first.
        clean_share: pictures of a batch that stay as they are.
    """
    cells = suite(names, severities)

    def augment(x: Tensor, g: torch.Generator) -> Tensor:
        x = before(x, g)
        cell = cells[int(torch.randint(0, len(cells), (1,), generator=g))]
        pictures = (x * std + mean).clamp(0, 1)
        worse, _ = degradation(cell.corruption)(pictures, severity=cell.severity, generator=g)
        kept = (torch.rand(len(x), generator=g) < clean_share).view(-1, 1, 1, 1)
        return (torch.where(kept, pictures, worse.clamp(0, 1)) - mean) / std

    return augment


# Operations of AugMix; none of them is a corruption of the suite.
def _autocontrast(x: Tensor, amount: Tensor) -> Tensor:
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low).clamp(min=1e-3)


def _posterise(x: Tensor, amount: Tensor) -> Tensor:
    levels = (2 ** (8 - (amount * 4).floor())).view(-1, 1, 1, 1)
    return (x * levels).floor().clamp(max=levels - 1) / (levels - 1).clamp(min=1)


def _solarise(x: Tensor, amount: Tensor) -> Tensor:
    return torch.where(x > (1 - amount).view(-1, 1, 1, 1), 1 - x, x)


def _affine(matrix: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def move(x: Tensor, amount: Tensor) -> Tensor:
        grid = F.affine_grid(matrix(amount), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)

    return move


def _rows(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor, f: Tensor) -> Tensor:
    return torch.stack([torch.stack([a, b, c], 1), torch.stack([d, e, f], 1)], 1)


def _rotation(t: Tensor) -> Tensor:
    angle, zero = t * 0.52, torch.zeros_like(t)
    return _rows(angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero)


def _shear_x(t: Tensor) -> Tensor:
    one, zero = torch.ones_like(t), torch.zeros_like(t)
    return _rows(one, t * 0.3, zero, zero, one, zero)


def _shear_y(t: Tensor) -> Tensor:
    one, zero = torch.ones_like(t), torch.zeros_like(t)
    return _rows(one, zero, zero, t * 0.3, one, zero)


def _shift_x(t: Tensor) -> Tensor:
    one, zero = torch.ones_like(t), torch.zeros_like(t)
    return _rows(one, zero, t * 0.6, zero, one, zero)


def _shift_y(t: Tensor) -> Tensor:
    one, zero = torch.ones_like(t), torch.zeros_like(t)
    return _rows(one, zero, zero, zero, one, t * 0.6)


_OPERATIONS: tuple[tuple[Callable[[Tensor, Tensor], Tensor], bool], ...] = (
    (_autocontrast, False),
    (_posterise, False),
    (_solarise, False),
    (_affine(_rotation), True),
    (_affine(_shear_x), True),
    (_affine(_shear_y), True),
    (_affine(_shift_x), True),
    (_affine(_shift_y), True),
)


def augmix(
    x: Tensor, g: torch.Generator, *, width: int = 3, depth: tuple[int, int] = (1, 3), strength: float = 0.3
) -> Tensor:
    """AugMix (Hendrycks et al., ICLR 2020) of pictures ``B x C x H x W`` in [0, 1].

    ``width`` chains of ``depth`` operations are mixed with Dirichlet(1) weights, and the mixture with the picture by
    a Beta(1, 1) weight. Operations are drawn per batch and chain, their strengths per picture.
    """
    count = len(x)
    # Dirichlet(1): normalised exponentials.
    weights = -torch.rand((width, count), generator=g).clamp(min=1e-9).log()
    weights = weights / weights.sum(0)
    mixed = torch.zeros_like(x)
    for chain in range(width):
        y = x
        for _ in range(int(torch.randint(depth[0], depth[1] + 1, (1,), generator=g))):
            operation, is_signed = _OPERATIONS[int(torch.randint(0, len(_OPERATIONS), (1,), generator=g))]
            amount = torch.rand(count, generator=g) * strength
            if is_signed:
                amount = torch.where(torch.rand(count, generator=g) < 0.5, -amount, amount)
            y = operation(y, amount).clamp(0, 1)
        mixed += weights[chain].view(-1, 1, 1, 1) * y
    share = torch.rand(count, generator=g).view(-1, 1, 1, 1)
    return share * x + (1 - share) * mixed


def augmix_loss(
    *, mean: Tensor, std: Tensor, weight: float = 12.0
) -> Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]:
    """Cross-entropy, and ``weight`` times the Jensen-Shannon divergence between a picture and two AugMix versions."""

    def loss(net: nn.Module, x: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
        pictures = (x * std + mean).clamp(0, 1)
        versions = [x, *((augmix(pictures, g) - mean) / std for _ in range(2))]
        logits = net(torch.cat(versions)).chunk(3)
        p = torch.stack([z.softmax(1) for z in logits])
        middle = p.mean(0).clamp(1e-7, 1).log()
        divergence = sum(F.kl_div(middle, each, reduction="batchmean") for each in p) / 3
        return F.cross_entropy(logits[0], labels) + weight * divergence

    return loss


def exposure_loss(
    foreign: Tensor, *, weight: float = 0.5, batch: int = 128
) -> Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]:
    """Outlier exposure (Hendrycks et al., ICLR 2019): cross-entropy and a flat prediction on foreign pictures.

    ``CE(f(x), y) + weight * mean(logsumexp z - mean_c z)`` over ``batch`` of the normalised ``foreign`` pictures; the
    detector is then the largest probability. What is exposed must not be what is tested on.
    """

    def loss(net: nn.Module, x: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
        picked = torch.randint(0, len(foreign), (min(batch, len(foreign)),), generator=g)
        z, out = net(torch.cat([x, foreign[picked]])).split([len(x), len(picked)])
        return F.cross_entropy(z, labels) + weight * (out.logsumexp(1) - out.mean(1)).mean()

    return loss


def anchored_loss() -> Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]:
    """Cross-entropy of an :class:`restore.downstream.confidence.anchoring.Anchored` network, anchors from the batch.

    One batch of five shows an augmented anchor (mirrored, moved, blurred) in the first slot while the residual keeps
    the clean one (Delta-UQ's and AMP's consistency).
    """

    def loss(net: nn.Module, x: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
        anchor = x[torch.randperm(len(x), generator=g)]
        shown = None
        if float(torch.rand(1, generator=g)) < 0.2:
            shown = F.avg_pool2d(F.pad(anchor.flip(-1), [1] * 4, mode="replicate"), 3, 1)
            shown = shown.roll(int(torch.randint(-2, 3, (1,), generator=g)), -1)
        return F.cross_entropy(net.pair(x, anchor, shown=shown), labels)  # type: ignore[operator]

    return loss
