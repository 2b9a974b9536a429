"""AMP: an anchored classifier's spread over a stored bank of anchors as a detector."""

from __future__ import annotations

from torch import Tensor

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.confidence.anchoring import Anchored, amp_score, pick_anchors
from restore.downstream.ood.base import Bank, Detector
from restore.errors import UsageError


class Amp(Detector):
    """``(1/C) sum_c log softmax(mu / (1 + exp tau))_c`` of an anchored classifier (Anirudh & Thiagarajan, ACML 2022).

    Anchors are training pictures, classes in turn, the same for every query.

    Args:
        anchors: how many.
        imagenet: divides by tau instead, as the paper does at the scale of ImageNet.
    """

    name = "amp"
    paper = "Anirudh & Thiagarajan, ACML 2022"

    def __init__(self, *, anchors: int = 10, imagenet: bool = False, seed: int = 0) -> None:
        self.anchors, self.imagenet, self.seed = anchors, imagenet, seed

    def fit(self, classifier: Classifier, bank: Bank) -> Amp:
        """Stores the anchors in the classifier.

        Raises:
            UsageError: a classifier that is not anchored.
        """
        net = classifier.net
        if not isinstance(net, Anchored):
            raise UsageError(
                f"{classifier.name} is not anchored",
                hint="wrap_anchored(model), trained with anchored_loss, is",
            )
        picked = pick_anchors(bank.labels, self.anchors, seed=self.seed)
        net.store(classifier.normalise(bank.pictures[picked]))
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        net = classifier.net
        assert isinstance(net, Anchored)
        mean, spread = net.uncertain(classifier.normalise(x))
        return amp_score(mean, spread, imagenet=self.imagenet)
