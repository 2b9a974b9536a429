"""The rule of a gate: from features to the weight of the restored picture's prediction; fitted, certified, stored."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

from restore.degradations import sample as draw
from restore.downstream.gate.features import FEATURES
from restore.downstream.statistics.bounds import upper_bound
from restore.errors import UsageError
from restore.files import write_file
from restore.files.bounded import parse_json, read_text

SCHEMA = 1
# Weights below and above which the picture counts as passed and as restored; between them both are blended.
PASS_BELOW, RESTORE_ABOVE = 0.1, 0.9
SHIFTS = (*np.arange(-12.0, 0.0, 0.5).tolist(), 0.0)


@dataclass(frozen=True)
class GateRule:
    """``w = sigmoid(mean over members of g(features) + shift)``; the gate's answer is ``(1 - w) p_D + w p_R``.

    Args:
        mean, std: of every feature, on the pictures fitted on.
        members: networks with one hidden layer, each ``{"w1": H x F, "b1": H, "w2": H, "b2": 1}`` as lists.
        shift: 0 as fitted; lower is more careful (minus infinity never restores).
        certificate: what certified ``shift``: pictures, harmed, budget, upper bound, delta.
    """

    mean: list[float]
    std: list[float]
    members: list[dict[str, Any]]
    shift: float = 0.0
    certificate: dict[str, Any] = field(default_factory=dict)

    def score(self, features: Tensor) -> Tensor:
        """The weight's logit before the shift, B."""
        mean, std = (features.new_tensor(v) for v in (self.mean, self.std))
        # Far outside of what was fitted a feature says no more than at the edge of it.
        x = ((features - mean) / std).clamp(-4, 4)
        total = []
        for m in self.members:
            w1, b1, w2, b2 = (x.new_tensor(m[k]) for k in ("w1", "b1", "w2", "b2"))
            total.append(torch.tanh(x @ w1.T + b1) @ w2 + b2)
        return torch.stack(total).mean(0)

    def weight(self, features: Tensor) -> Tensor:
        """The weight of the restored picture's prediction, B in [0, 1]; hard at both ends.

        Below ``PASS_BELOW`` it is 0 and above ``RESTORE_ABOVE`` 1, so that such a picture costs one decision and
        nothing is blended into it.
        """
        w = torch.sigmoid(self.score(features) + self.shift)
        return torch.where(w < PASS_BELOW, 0.0, torch.where(w > RESTORE_ABOVE, 1.0, w))

    def save(self, path: Path) -> None:
        """As JSON, whole or not at all."""
        write_file(path, json.dumps({"schema": SCHEMA, "features": list(FEATURES), **asdict(self)}) + "\n")

    @staticmethod
    def load(path: Path) -> GateRule:
        """The inverse of :meth:`save`.

        Raises:
            UsageError: missing, or not such a file.
        """
        try:
            held = parse_json(read_text(path, error=UsageError, what="the gate"))
            if held.pop("schema") != SCHEMA or held.pop("features") != list(FEATURES):
                raise ValueError("another schema or other features")
            made = GateRule(**held)
            made.score(torch.zeros(1, len(FEATURES)))
            float(made.shift)
            return made
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, IndexError) as error:
            raise UsageError(f"cannot read the gate {path}: {error}") from None


def fit_rule(
    features: Tensor,
    log_p_none: Tensor,
    log_p_restored: Tensor,
    labels: Tensor,
    *,
    weights: Tensor | None = None,
    hidden: int = 12,
    members: int = 3,
    steps: int = 150,
    decay: float = 3e-3,
    seed: int = 0,
) -> GateRule:
    """A rule with the least NLL of the mixed prediction, so that the weight goes where it buys probability.

    A mixture of two experts with a small gating network (Jacobs et al. 1991) whose experts, the classifier on the
    picture and on the restored one, are fixed. A hard choice between right and wrong answers would throw away every
    picture on which both agree; the likelihood does not.

    Args:
        features: ``N x F`` of the calibration pictures under all cells (and clean).
        log_p_none, log_p_restored: ``N x classes``.
        weights: of the rows; None: equal.
        hidden, members, steps, decay: size, number of networks averaged, L-BFGS steps, weight decay.

    Raises:
        UsageError: fewer than 20 rows.
    """
    if len(features) < 20:
        raise UsageError(f"expected at least 20 calibration rows for a gate, got {len(features)}")
    mean, std = features.mean(0), features.std(0).clamp(min=1e-6)
    x = ((features - mean) / std).clamp(-4, 4).double()
    rows = torch.arange(len(labels))
    d, r = log_p_none[rows, labels].double(), log_p_restored[rows, labels].double()
    share = torch.ones(len(labels), dtype=torch.float64) if weights is None else weights.double()
    share = share / share.sum()
    count = x.shape[1]
    gs = [draw.generator(draw.child_seed(seed, "gate", m)) for m in range(members)]
    # All members are fitted at once; they share nothing but the search. L-BFGS comes from SciPy: torch.optim takes
    # seconds to import, a gate a fraction of one to fit.
    shapes = [(members, hidden, count), (members, hidden, 1), (members, 1, hidden), (members, 1, 1)]
    start = [
        torch.stack([torch.randn(hidden, count, generator=g) * (1 / count) ** 0.5 for g in gs]),
        torch.stack([torch.randn(hidden, 1, generator=g) * 0.1 for g in gs]),
        torch.zeros(shapes[2]),
        torch.zeros(shapes[3]),
    ]

    def parts(flat: Tensor) -> list[Tensor]:
        sizes = [math.prod(shape) for shape in shapes]
        return [p.view(shape) for p, shape in zip(flat.split(sizes), shapes, strict=True)]

    def loss_and_slope(vector: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            flat = torch.tensor(vector, requires_grad=True)
            w1, w2, b1, b2 = parts(flat)
            logit = (torch.tanh(x @ w1.transpose(1, 2) + b1) @ w2 + b2)[..., 0]
            mixed = torch.logaddexp(F.logsigmoid(-logit) + d, F.logsigmoid(logit) + r)
            loss = -(share * mixed).sum() + decay * (w1.square().sum() + w2.square().sum())
            (slope,) = torch.autograd.grad(loss, flat)
        return float(loss.detach()), slope.numpy()

    first = torch.cat([p.flatten() for p in start]).double().numpy()
    reached = minimize(loss_and_slope, first, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    w1, w2, b1, b2 = parts(torch.from_numpy(reached.x))
    found = [
        {
            "w1": w1[m].tolist(),
            "b1": b1[m, 0].tolist(),
            "w2": w2[m, :, 0].tolist(),
            "b2": b2[m, 0].tolist(),
        }
        for m in range(members)
    ]
    return GateRule(mean.tolist(), std.tolist(), found)


def gated(rule: GateRule, features: Tensor, log_p_none: Tensor, log_p_restored: Tensor) -> Tensor:
    """``N x classes`` log-probabilities of the gate's answer."""
    w = rule.weight(features)[:, None].to(log_p_none)
    return torch.logaddexp(torch.log1p(-w) + log_p_none, torch.log(w) + log_p_restored)


def certify(
    rule: GateRule,
    features: Tensor,
    log_p_none: Tensor,
    log_p_restored: Tensor,
    labels: Tensor,
    *,
    budget: float,
    delta: float = 0.05,
) -> GateRule:
    """The least careful shift whose harm is certified to be at most ``budget`` with probability 1 - ``delta``.

    Shifts are tested from the most careful one on, each by its Clopper-Pearson bound at ``delta``, stopping at the
    first that fails: a fixed sequence needs no correction for the number of tests (Angelopoulos et al. 2021, Learn
    then Test). Rows must be independent: one cell per source picture.

    Returns:
        The rule with its shift and certificate; where not even the most careful one passes (too few pictures), it
        never restores.
    """
    was_right = log_p_none.argmax(1) == labels
    chosen, certificate = None, None
    count = len(labels)
    for shift in SHIFTS:
        trial = replace(rule, shift=float(shift))
        right = gated(trial, features, log_p_none, log_p_restored).argmax(1) == labels
        harmed = int((was_right & ~right).sum())
        bound = upper_bound(harmed, count, delta=delta) if count else 1.0
        if bound > budget:
            break
        chosen = trial
        certificate = {"n": count, "harmed": harmed, "delta": delta, "upper": bound, "budget": budget}
    if chosen is None or certificate is None:
        never = {"n": count, "harmed": 0, "delta": delta, "upper": 0.0, "budget": budget, "never": True}
        return replace(rule, shift=-1e9, certificate=never)
    return replace(chosen, certificate=certificate)
