"""What a detector is: fitted once on clean familiar pictures, then a score per picture, larger for more foreign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.labelled import Labelled

Pictures = Callable[[], "list[tuple[Tensor, Tensor]]"]


@dataclass(frozen=True)
class Bank:
    """Clean familiar pictures of the fit part, seen by one classifier.

    Args:
        pictures: ``N x C x H x W`` in [0, 1], as the classifier takes them.
        labels: N class numbers.
        logits: ``N x classes``.
        features: ``N x D``.
    """

    pictures: Tensor
    labels: Tensor
    logits: Tensor
    features: Tensor

    @property
    def classes(self) -> int:
        """Logits of the classifier."""
        return self.logits.shape[1]


class Detector(ABC):
    """A score of foreignness.

    Attributes:
        name: as in results.
        paper: where it is from.
        supervised: whether fitting needed pictures of the anomaly.
    """

    name = ""
    paper = ""
    supervised = False

    def fit(self, classifier: Classifier, bank: Bank) -> Detector:
        """Learns what familiar pictures look like; the default needs nothing."""
        return self

    @abstractmethod
    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        """B scores of pictures ``x`` (``B x C x H x W`` in [0, 1]) with their logits and features.

        Works under ``no_grad``, and leaves modes, ``requires_grad`` and ``.grad`` of the classifier as they were.
        """


@torch.no_grad()
def fill_bank(classifier: Classifier, data: Labelled, index: Sequence[int], *, batch: int = 128) -> Bank:
    """The bank of some pictures of a collection."""
    pictures, logits, features = [], [], []
    for _, x in data.batches(index, batch):
        fitted = classifier.fit_picture(x)
        z, h = classifier.both(fitted)
        pictures.append(fitted)
        logits.append(z.float())
        features.append(h.float())
    labels = torch.from_numpy(data.labels[list(index)])
    return Bank(torch.cat(pictures), labels, torch.cat(logits), torch.cat(features))


class Detectors:
    """Several fitted detectors of one classifier, as :class:`restore.downstream.passes.Passes` asks for them."""

    def __init__(self, fitted: Mapping[str, Sequence[Detector]]) -> None:
        self.fitted = fitted

    def __call__(
        self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor
    ) -> dict[str, Tensor]:
        """Scores by detector."""
        mine = self.fitted.get(classifier.name, ())
        return {d.name: d.score(classifier, classifier.fit_picture(x), logits, features) for d in mine}
