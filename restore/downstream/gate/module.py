"""``RestoreGate``: a classifier that decides per picture whether to look at it restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.gate.features import gate_features, picture_features
from restore.downstream.gate.rule import GateRule, certify, fit_rule, gated
from restore.errors import UsageError


@dataclass(frozen=True)
class Decision:
    """Per picture: "pass", "restore" or "blend", and the weight of the restored picture's prediction."""

    choices: list[str]
    weights: Tensor


@dataclass
class Seen:
    """Both predictions and the features of a batch."""

    none: Tensor
    restored: Tensor
    features: Tensor


class RestoreGate(nn.Module):
    """Drop-in for the classifier: pictures ``B x C x H x W`` in [0, 1] in, logits out.

    Per picture it passes (the classifier sees it as it is), restores, or blends both predictions. Until a rule is
    fitted or given it passes everything.

    Args:
        restorer: a :class:`restore.Restorer`, a module or any function from batch to batch.
        classifier: a :class:`Classifier`, or a module that takes pictures in [0, 1] (it is wrapped).
        rule: from :meth:`fit` or :meth:`GateRule.load`.
    """

    def __init__(self, restorer: Any, classifier: nn.Module, rule: GateRule | None = None) -> None:
        super().__init__()
        self.restorer: Callable[[Tensor], Tensor] = getattr(restorer, "as_module", lambda: restorer)()
        self.classifier = (
            classifier if isinstance(classifier, Classifier) else Classifier(classifier, name="classifier")
        )
        self.rule = rule

    def look(self, x: Tensor) -> Seen:
        """Both predictions and what the rule looks at."""
        with torch.no_grad():
            z = self.restorer(x).float().clamp(0, 1)
            none, before = self.classifier.both(x)
            restored, after = self.classifier.both(z)
            cosine = nn.functional.cosine_similarity(before.float(), after.float(), dim=1)
            stats = picture_features(x, x), picture_features(z, x)
            return Seen(none, restored, gate_features(*stats, none, restored, cosine))

    def forward(self, x: Tensor) -> Tensor:
        """Logits: the logarithm of the mixed prediction."""
        if self.rule is None:
            return self.classifier(x)
        seen = self.look(x)
        d, r = seen.none.double().log_softmax(1), seen.restored.double().log_softmax(1)
        return gated(self.rule, seen.features, d, r).to(seen.none.dtype)

    def decide(self, x: Tensor) -> Decision:
        """What is done with every picture."""
        if self.rule is None:
            return Decision(["pass"] * len(x), torch.zeros(len(x)))
        w = self.rule.weight(self.look(x).features)
        names = ["pass" if v == 0 else "restore" if v == 1 else "blend" for v in w.tolist()]
        return Decision(names, w)

    def fit(
        self,
        batches: Sequence[tuple[Tensor, Tensor]],
        certify_on: Sequence[tuple[Tensor, Tensor]],
        *,
        budget: float = 0.02,
        delta: float = 0.05,
        seed: int = 0,
    ) -> GateRule:
        """Fits the rule on degraded calibration pictures and certifies its harm on others.

        Args:
            batches: (pictures as they will come, class numbers), clean ones among them.
            certify_on: the same from pictures that are in no way among ``batches``; every source picture once.
            budget: largest share of pictures turned from right to wrong, certified with probability 1 - ``delta``.

        Raises:
            UsageError: nothing to fit or to certify on.
        """
        if not batches or not certify_on:
            raise UsageError("expected calibration and certification pictures for a gate")
        fit_on, check_on = self._gather(batches), self._gather(certify_on)
        rule = fit_rule(*fit_on, seed=seed)
        self.rule = certify(rule, *check_on, budget=budget, delta=delta)
        return self.rule

    def _gather(self, batches: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        seen = [self.look(x) for x, _ in batches]
        return (
            torch.cat([s.features for s in seen]),
            torch.cat([s.none.double().log_softmax(1) for s in seen]),
            torch.cat([s.restored.double().log_softmax(1) for s in seen]),
            torch.cat([y for _, y in batches]),
        )
