"""What every arm answered, per picture and cell, for one classifier and one restorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from restore.downstream.confidence.scores import log_softmax
from restore.downstream.parts import Arrays
from restore.downstream.suite import Cell


@dataclass
class Outcomes:
    """Log-probabilities ``N x cells x classes`` by arm, and the clean cell's ``N x classes``.

    Args:
        labels, sources: of the N judged pictures.
        cells: the suite, in the order of the second axis.
        part: "tune", "certify" or "test" per picture.
        log_p: by arm; "average" is made from "none" and "restore".
        clean: by arm, for undegraded pictures ("none": f(x), "restore": f(R(x))).
    """

    labels: np.ndarray
    sources: np.ndarray
    cells: Sequence[Cell]
    part: np.ndarray
    log_p: dict[str, np.ndarray] = field(default_factory=dict)
    clean: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def weights(self) -> np.ndarray:
        """The deployment's weight of each cell, summing to 1."""
        w = np.array([c.weight for c in self.cells])
        return w / w.sum()

    def right(self, arm: str) -> np.ndarray:
        """``N x cells`` booleans: the arm's first choice is the label; "oracle" is the better of both answers."""
        if arm == "oracle":
            return self.right("none") | self.right("restore")
        return self.log_p[arm].argmax(2) == self.labels[:, None]

    def clean_right(self, arm: str) -> np.ndarray:
        """N booleans on undegraded pictures."""
        return self.clean[arm].argmax(1) == self.labels

    def add(self, arm: str, log_p: np.ndarray, clean: np.ndarray | None = None) -> None:
        """A further arm."""
        self.log_p[arm] = log_p
        if clean is not None:
            self.clean[arm] = clean

    def only(self, part: str) -> Outcomes:
        """The pictures of one part."""
        keep = self.part == part
        return Outcomes(
            self.labels[keep],
            self.sources[keep],
            self.cells,
            self.part[keep],
            {arm: p[keep] for arm, p in self.log_p.items()},
            {arm: p[keep] for arm, p in self.clean.items()},
        )


def gather_outcomes(
    cells: Sequence[Cell],
    by_cell: Mapping[str, Mapping[str, Arrays]],
    clean: Mapping[str, Arrays],
    *,
    classifier: int,
    restorer: str,
    labels: np.ndarray,
    sources: np.ndarray,
    part: np.ndarray,
) -> Outcomes:
    """The outcomes of one classifier and restorer from the arrays of :class:`restore.downstream.passes.Passes`."""

    def stacked(arm: str) -> np.ndarray:
        return np.stack([log_softmax(by_cell[c.key][arm][f"logits/{classifier}"]) for c in cells], 1)

    found = Outcomes(labels, sources, cells, part)
    for name, arm in (("none", "none"), ("restore", restorer)):
        found.add(name, stacked(arm), log_softmax(clean[arm][f"logits/{classifier}"]))
    found.add(
        "average",
        mean_prediction(found.log_p["none"], found.log_p["restore"]),
        mean_prediction(found.clean["none"], found.clean["restore"]),
    )
    return found


def mean_prediction(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The logarithm of the mean of two predictions given as log-probabilities."""
    return np.logaddexp(a, b) - np.log(2)
