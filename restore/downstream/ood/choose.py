"""Detectors by name, fitted for every classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.labelled import Labelled, Splits
from restore.downstream.ood.amp import Amp
from restore.downstream.ood.base import Bank, Detector, Detectors, fill_bank
from restore.downstream.ood.distance import Mahalanobis, NearestNeighbours
from restore.downstream.ood.gradcon import GradCon
from restore.downstream.ood.gram import Gram
from restore.downstream.ood.logit_scores import LOGIT_SCORES
from restore.downstream.ood.perturbed import GradNorm, Odin
from restore.downstream.ood.purview import Introspective, Purview
from restore.errors import UsageError, unknown

# By name; all of them without a picture of any anomaly.
TABLE: dict[str, Callable[[], Detector]] = {
    "odin": Odin,
    "gradnorm": GradNorm,
    "knn": NearestNeighbours,
    "mahalanobis": Mahalanobis,
    "mahalanobis-one": lambda: Mahalanobis(one_class=True),
    "rmds": lambda: Mahalanobis(relative=True),
    "gram": Gram,
    "purview": Purview,
    "introspective": Introspective,
    "gradcon": GradCon,
    "amp": Amp,
}
NEEDS_NOTHING = ("odin", "gradnorm")
# Enough for every statistic here; a bank of all pictures would only be slower.
BANK = 2000


def fit_detectors(
    classifiers: Sequence[Classifier], data: Labelled, splits: Splits, names: Sequence[str]
) -> Detectors:
    """The named detectors, fitted on clean pictures of the fit part.

    Raises:
        UsageError: an unknown name, or no fit part for a detector that learns.
    """
    for name in names:
        if name not in TABLE:
            raise unknown("detector", name, [*TABLE, *LOGIT_SCORES])
    learning = [n for n in names if n not in NEEDS_NOTHING]
    if learning and len(splits.fit) < 20:
        raise UsageError(
            f"{', '.join(learning)} learn from clean pictures, the fit part has {len(splits.fit)}",
            hint="--fit 500",
        )
    fitted = {}
    for classifier in classifiers:
        bank: Bank | None = fill_bank(classifier, data, splits.fit[:BANK]) if learning else None
        fitted[classifier.name] = [
            TABLE[n]() if bank is None else TABLE[n]().fit(classifier, bank) for n in names
        ]
    return Detectors(fitted)
