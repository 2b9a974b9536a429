"""Distances in the space of features: Mahalanobis and its relatives, nearest neighbours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.ood.base import Bank, Detector

# Below this many pictures per dimension a covariance is shrunk (Ledoit & Wolf 2004).
_PER_DIMENSION = 10


def covariance(centred: Tensor) -> Tensor:
    """``D x D`` covariance of ``N x D`` centred rows, shrunk towards a multiple of the identity where N < 10 D."""
    n, d = centred.shape
    sample = centred.T @ centred / n
    if n >= _PER_DIMENSION * d:
        return sample
    return shrink(centred, sample)


def shrink(centred: Tensor, sample: Tensor) -> Tensor:
    """Ledoit & Wolf's estimate: ``(1 - rho) S + rho m I`` with the rho of least expected squared error."""
    n, d = centred.shape
    m = sample.diagonal().mean()
    spread = (sample - m * torch.eye(d, dtype=sample.dtype)).square().sum() / d
    squares = centred.square()
    noise = ((squares.T @ squares) / n - sample.square()).sum() / d / n
    rho = (torch.minimum(noise, spread) / spread.clamp(min=1e-30)).clamp(0, 1)
    return (1 - rho) * sample + rho * m * torch.eye(d, dtype=sample.dtype)


class Mahalanobis(Detector):
    """``min_c (h - mu_c)' S^-1 (h - mu_c)`` with S the within-class covariance (Lee et al., NeurIPS 2018).

    Args:
        relative: subtracts the distance to one Gaussian of all classes (RMDS; Ren et al. 2021).
        epsilon: of the input perturbation ``x - eps sign(grad s)`` that the paper adds; 0: none.
        one_class: one Gaussian, where there are too few pictures of a class.
    """

    paper = "Lee et al., NeurIPS 2018"

    def __init__(self, *, relative: bool = False, epsilon: float = 0.0, one_class: bool = False) -> None:
        self.relative, self.epsilon, self.one_class = relative, epsilon, one_class
        self.name = "rmds" if relative else "mahalanobis-one" if one_class else "mahalanobis"

    def fit(self, classifier: Classifier, bank: Bank) -> Mahalanobis:
        h = bank.features.double()
        labels = torch.zeros_like(bank.labels) if self.one_class else bank.labels
        present = labels.unique()
        self.means = torch.stack([h[labels == c].mean(0) for c in present])
        place = torch.searchsorted(present, labels)
        self.precision = torch.linalg.pinv(covariance(h - self.means[place]), hermitian=True)
        self.centre = h.mean(0)
        self.background = torch.linalg.pinv(covariance(h - self.centre), hermitian=True)
        return self

    def distance(self, features: Tensor) -> Tensor:
        """B scores of features alone."""
        h = features.double()
        difference = h[:, None] - self.means
        near = torch.einsum("bcd,de,bce->bc", difference, self.precision, difference).min(1).values
        if self.relative:
            off = h - self.centre
            near = near - torch.einsum("bd,de,be->b", off, self.background, off)
        return near

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        if self.epsilon == 0:
            return self.distance(features)
        with torch.enable_grad():
            moved = x.detach().clone().requires_grad_(True)
            value = self.distance(classifier.both(moved)[1])
            (slope,) = torch.autograd.grad(value.sum(), moved)
        with torch.no_grad():
            return self.distance(classifier.both(x - self.epsilon * slope.sign())[1])


class NearestNeighbours(Detector):
    """Euclidean distance of the normalised feature to its k-th nearest among the bank's (Sun et al., ICML 2022)."""

    name = "knn"
    paper = "Sun et al., ICML 2022"

    def __init__(self, k: int = 50) -> None:
        self.k = k

    def fit(self, classifier: Classifier, bank: Bank) -> NearestNeighbours:
        self.bank = nn_normalise(bank.features)
        self.used = min(self.k, len(self.bank))
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        distances = torch.cdist(nn_normalise(features), self.bank)
        return distances.kthvalue(self.used, dim=1).values


def nn_normalise(h: Tensor) -> Tensor:
    """Rows of length 1, float64."""
    h = h.double()
    return h / h.norm(dim=1, keepdim=True).clamp(min=1e-12)


class FeatureEnsemble(Detector):
    """Mahalanobis distances of several layers, weighted by a logistic regression (the paper's feature ensemble).

    It needs anomalies to be fitted on, so it is reported only for anomalies that it has not seen.
    """

    name = "mahalanobis-ensemble"
    paper = "Lee et al., NeurIPS 2018"
    supervised = True

    def fit(self, classifier: Classifier, bank: Bank) -> FeatureEnsemble:
        maps = layer_means(classifier, bank.pictures)
        self.parts = []
        for h in maps:
            part = Mahalanobis()
            part.fit(classifier, Bank(bank.pictures, bank.labels, bank.logits, h))
            self.parts.append(part)
        return self

    def layers(self, classifier: Classifier, x: Tensor) -> Tensor:
        """``B x layers`` distances."""
        return torch.stack(
            [p.distance(h) for p, h in zip(self.parts, layer_means(classifier, x), strict=True)], 1
        )

    def learn(self, classifier: Classifier, familiar: Tensor, anomalous: Tensor) -> FeatureEnsemble:
        """Fits the weights of the layers on familiar and anomalous pictures."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows = torch.cat([self.layers(classifier, familiar), self.layers(classifier, anomalous)]).numpy()
        target = np.repeat([0, 1], [len(familiar), len(anomalous)])
        self.model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, target)
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        return torch.from_numpy(self.model.decision_function(self.layers(classifier, x).numpy()))


@torch.no_grad()
def layer_means(classifier: Classifier, x: Tensor, *, batch: int = 128) -> list[Tensor]:
    """Per convolution of the classifier the spatial means of what it gives, ``N x channels`` each."""
    found: list[list[Tensor]] = []
    for part in x.split(batch):
        for i, m in enumerate(classifier.maps(part)):
            if i == len(found):
                found.append([])
            found[i].append(m.mean((2, 3)))
    return [torch.cat(parts) for parts in found]
