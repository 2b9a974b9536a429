"""What gradients say: confounding labels, introspective features."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.ood.base import Bank, Detector
from restore.downstream.ood.distance import covariance
from restore.downstream.ood.ghost import KINDS, ghost_norms


def confounding_loss(logits: Tensor) -> Tensor:
    """Binary cross-entropy against the label of all classes at once: the mean over classes, summed over the batch."""
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits), reduction="none").mean(1).sum()


def head_weight_norm(logits: Tensor, features: Tensor) -> Tensor:
    """``|h|^2 sum_c (1 - sigmoid z_c)^2 / C^2``: the head weight's squared norm, without any backward pass."""
    z, h = logits.double(), features.double()
    return h.square().sum(1) * (1 - z.sigmoid()).square().sum(1) / z.shape[1] ** 2


class Purview(Detector):
    """Squared gradient norms of every parameter under the confounding label (Lee et al., IEEE Access 2023).

    One-class: Mahalanobis distance of their standardised logarithms to clean familiar pictures, without any anomaly.
    After :meth:`learn` a logistic regression takes its place, to be judged only on anomalies it has not seen.

    Args:
        light: only batch normalisation and linear layers, for networks of depthwise convolutions, whose unfolding
            costs more than twenty forward passes.
        batch: pictures at once when fitting.
    """

    name = "purview"
    paper = "Lee et al., IEEE Access 2023"

    def __init__(self, *, light: bool = False, batch: int = 64) -> None:
        self.kinds: tuple[type[nn.Module], ...] = (nn.Linear, nn.BatchNorm2d) if light else KINDS
        self.batch = batch
        self.supervised = False
        self.model: object | None = None

    def fit(self, classifier: Classifier, bank: Bank) -> Purview:
        rows = torch.cat([self.norms(classifier, x) for x in bank.pictures.split(self.batch)])
        self.mean, self.std = rows.mean(0), rows.std(0).clamp(min=1e-6)
        scaled = (rows - self.mean) / self.std
        self.precision = torch.linalg.pinv(covariance(scaled), hermitian=True)
        return self

    def norms(self, classifier: Classifier, x: Tensor) -> Tensor:
        """``B x parameters``: log(squared norm + 1e-12)."""
        inside = classifier.normalise(x)
        found = ghost_norms(classifier.net, confounding_loss, inside, kinds=self.kinds)
        return torch.stack([(v.double() + 1e-12).log() for v in found.values()], 1)

    def learn(self, classifier: Classifier, familiar: Tensor, anomalous: Tensor) -> Purview:
        """Fits the supervised form on familiar and anomalous pictures."""
        from sklearn.linear_model import LogisticRegression

        rows = torch.cat([self._scaled(classifier, familiar), self._scaled(classifier, anomalous)]).numpy()
        target = np.repeat([0, 1], [len(familiar), len(anomalous)])
        self.model = LogisticRegression(max_iter=1000).fit(rows, target)
        self.supervised = True
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        scaled = self._scaled(classifier, x)
        if self.model is not None:
            return torch.from_numpy(self.model.decision_function(scaled.numpy()))  # type: ignore[attr-defined]
        return torch.einsum("bd,de,be->b", scaled, self.precision, scaled)

    def _scaled(self, classifier: Classifier, x: Tensor) -> Tensor:
        parts = [self.norms(classifier, p) for p in x.split(self.batch)]
        return (torch.cat(parts) - self.mean) / self.std


class Introspective(Detector):
    """Does a network that sees only the gradients at the head agree with the classifier? (Prabhushankar, NeurIPS 2022)

    The features are the last layer's weight gradient of the cross-entropy between the prediction and every class,
    normalised. That gradient is ``(p - e_c) h'``; its two factors are what is kept: the normalised h, and p. A
    three-layer network trained on the bank's labels gives the introspective prediction; the score is its entropy.
    """

    name = "introspective"
    paper = "Prabhushankar & AlRegib, NeurIPS 2022"

    def __init__(self, *, width: int = 64, steps: int = 300, seed: int = 0) -> None:
        self.width, self.steps, self.seed = width, steps, seed

    def fit(self, classifier: Classifier, bank: Bank) -> Introspective:
        rows = introspective_features(bank.logits, bank.features)
        self.mean, self.std = rows.mean(0), rows.std(0).clamp(min=1e-6)
        x = (rows - self.mean) / self.std
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(self.seed)
            self.net = nn.Sequential(
                nn.Linear(x.shape[1], self.width), nn.Tanh(), nn.Linear(self.width, self.width), nn.Tanh(),
                nn.Linear(self.width, bank.classes),
            )  # fmt: skip
            optimiser = torch.optim.AdamW(self.net.parameters(), lr=3e-3, weight_decay=1e-2)
            for _ in range(self.steps):
                loss = F.cross_entropy(self.net(x), bank.labels)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        self.net.eval().requires_grad_(False)
        return self

    def predict(self, logits: Tensor, features: Tensor) -> Tensor:
        """Introspective logits ``B x classes``."""
        return self.net((introspective_features(logits, features) - self.mean) / self.std)

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        log_p = self.predict(logits, features).log_softmax(1)
        return -(log_p.exp() * log_p).sum(1)


def introspective_features(logits: Tensor, features: Tensor) -> Tensor:
    """Both factors of the head's gradients, ``B x (classes + D)``: probabilities, and the feature at length 1."""
    return torch.cat([logits.float().softmax(1), F.normalize(features.float(), dim=1)], 1)
