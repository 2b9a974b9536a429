"""Answering only where one is sure: risk against coverage."""

from __future__ import annotations

import numpy as np

from restore.downstream.statistics.bounds import upper_bound


def risk_curve(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk when only the k most confident pictures are answered, k from 1 to N."""
    wrong = 1.0 - np.asarray(correct, np.float64)[np.argsort(-np.asarray(confidence), kind="stable")]
    k = np.arange(1, len(wrong) + 1)
    return k / len(wrong), wrong.cumsum() / k


def aurc(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Area under the risk-coverage curve: the mean over k of the risk of the k most confident (Geifman 2017)."""
    return float(risk_curve(confidence, correct)[1].mean())


def augrc(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Area under the generalised risk-coverage curve: mean over k of errors among the k, divided by N.

    Traub et al., NeurIPS 2024; the risk that an answer is given and wrong.
    """
    coverage, risk = risk_curve(confidence, correct)
    return float((coverage * risk).mean())


def coverage_at_risk(
    confidence: np.ndarray, correct: np.ndarray, *, risk: float, delta: float = 0.05
) -> float:
    """The largest share that can be answered with an error of at most ``risk``, certified at 1 - ``delta``.

    Coverages of 1, .99, ... are tried from low to high in a fixed order (stopping at the first that fails), each by
    its Clopper-Pearson bound, so that the certificate holds for the one that is chosen.
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    wrong = (1 - np.asarray(correct, int)[order]).cumsum()
    best, count = 0.0, len(wrong)
    tried = False
    for share in np.arange(1, 101) / 100:
        k = int(share * count)
        if k < 1:
            continue
        if upper_bound(int(wrong[k - 1]), k, delta=delta) <= risk:
            best, tried = k / count, True
        elif tried:
            break
    return best
