"""What a gate looks at: numbers of the degraded and the restored picture and of both predictions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.image import to_grey

PICTURE = ("mean", "deviation", "noise", "edges", "fine", "clipped", "change", "change_mean")
DECISION = (
    "top_none",
    "top_restored",
    "top_difference",
    "agree",
    "entropy_none",
    "entropy_restored",
    "energy_none",
    "energy_restored",
    "divergence",
    "margin_none",
    "margin_restored",
)
# Immerkaer (1996): a mask that is blind to planes and edges of constant slope, and sees noise.
_NOISE_MASK = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))


def picture_features(z: Tensor, y: Tensor) -> Tensor:
    """``B x len(PICTURE)`` numbers of pictures ``z``, and how they differ from ``y`` where the sizes allow.

    ``noise`` is Immerkaer's estimate of the standard deviation, ``edges`` the mean absolute slope, ``fine`` the share
    of it between neighbours at one pixel against two, ``clipped`` the share of values at 0 or 1, ``change`` the RMS
    difference to ``y`` and ``change_mean`` its mean.
    """
    grey = to_grey(z.float())
    mask = grey.new_tensor(_NOISE_MASK).view(1, 1, 3, 3)
    noise = F.conv2d(grey, mask).abs().flatten(1).mean(1) * (torch.pi / 2) ** 0.5 / 6
    one = (grey[..., 1:] - grey[..., :-1]).abs().flatten(1).mean(1)
    two = (grey[..., 2:] - grey[..., :-2]).abs().flatten(1).mean(1)
    flat = grey.flatten(1)
    clipped = ((flat <= 1 / 510) | (flat >= 1 - 1 / 510)).float().mean(1)
    if z.shape == y.shape:
        difference = (z - y).float().flatten(1)
        change, shift = difference.square().mean(1).sqrt(), difference.mean(1)
    else:
        change = shift = torch.zeros(len(z), device=z.device)
    columns = [flat.mean(1), flat.std(1), noise, one, one / (two + 1e-4), clipped, change, shift]
    return torch.stack(columns, 1)


def decision_features(none: Tensor, restored: Tensor) -> Tensor:
    """``B x len(DECISION)`` numbers of both logits ``B x classes``.

    ``divergence`` is the Jensen-Shannon divergence of both predictions, ``energy`` the log-sum-exp of the logits.
    """
    log_d, log_r = none.double().log_softmax(1), restored.double().log_softmax(1)
    p_d, p_r = log_d.exp(), log_r.exp()
    top_d, top_r = p_d.topk(2, 1).values, p_r.topk(2, 1).values
    mixed = (p_d + p_r) / 2

    def entropy(p: Tensor) -> Tensor:
        return -(p * p.clamp(min=1e-30).log()).sum(1)

    columns = [
        top_d[:, 0],
        top_r[:, 0],
        top_r[:, 0] - top_d[:, 0],
        (p_d.argmax(1) == p_r.argmax(1)).double(),
        entropy(p_d),
        entropy(p_r),
        none.double().logsumexp(1),
        restored.double().logsumexp(1),
        entropy(mixed) - (entropy(p_d) + entropy(p_r)) / 2,
        top_d[:, 0] - top_d[:, 1],
        top_r[:, 0] - top_r[:, 1],
    ]
    return torch.stack(columns, 1)


FEATURES = (
    *(f"none_{name}" for name in PICTURE[:6]),
    *(f"restored_{name}" for name in PICTURE),
    *DECISION,
    "feature_cosine",
)


def gate_features(
    stats_none: Tensor, stats_restored: Tensor, none: Tensor, restored: Tensor, cosine: Tensor
) -> Tensor:
    """``B x len(FEATURES)`` float64: everything a gate looks at.

    Args:
        stats_none, stats_restored: :func:`picture_features` of the picture and of the restored one.
        none, restored: both logits ``B x classes``.
        cosine: cosine of both features of the classifier, B.
    """
    return torch.cat(
        [
            stats_none[:, :6].double(),
            stats_restored.double(),
            decision_features(none, restored),
            cosine.double()[:, None],
        ],
        1,
    )
