"""All of the confidence measures for one arm, and how restoring changes the calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np

from restore.downstream.confidence.calibration import bin_of, ece, fit_temperature, with_null
from restore.downstream.confidence.scores import brier, log_softmax, nll
from restore.downstream.confidence.selective import augrc, aurc, risk_curve
from restore.downstream.outcomes import Outcomes
from restore.downstream.statistics.bootstrap import interval

BINS = 15


def measures(log_p: np.ndarray, labels: np.ndarray, *, draws: int = 200, seed: int = 0) -> dict[str, float]:
    """NLL, Brier, ECE and RMS calibration error with their null floors, AURC and AUGRC of ``N x C`` predictions."""
    p = np.exp(log_p)
    confidence, correct = p.max(1), p.argmax(1) == labels
    e = with_null("ece", confidence, correct, draws=draws, seed=seed)
    r = with_null("rms", confidence, correct, draws=draws, seed=seed)
    return {
        "nll": float(nll(log_p, labels).mean()),
        "brier": float(brier(p, labels).mean()),
        "ece": e.value,
        "ece_null": e.null,
        "ece_excess": e.excess,
        "ece_p": e.p,
        "rms_ce": r.value,
        "rms_null": r.null,
        "rms_excess": r.excess,
        "aurc": aurc(confidence, correct),
        "augrc": augrc(confidence, correct),
    }


def pooled(test: Outcomes, tune: Outcomes, arm: str, *, draws: int, seed: int) -> dict[str, Any]:
    """The measures over all cells of an arm, and after temperature scaling.

    Temperatures: ``T_clean`` from clean tune pictures and the classifier alone, ``T`` refitted on the tune pictures
    of this arm; each with the NLL and ECE it gives on the test pictures.
    """
    log_p, labels = _flat(test, arm)
    found: dict[str, Any] = measures(log_p, labels, draws=draws, seed=seed)
    for name, (fit_p, fit_labels) in {
        "T_clean": (tune.clean["none"], tune.labels),
        "T": _flat(tune, arm),
    }.items():
        if not len(fit_labels):
            found[name] = None
            continue
        t = fit_temperature(fit_p, fit_labels)
        scaled = log_softmax(log_p, temperature=t)
        p = np.exp(scaled)
        found[name] = t
        found[f"{name}_nll"] = float(nll(scaled, labels).mean())
        found[f"{name}_ece"] = ece(p.max(1), p.argmax(1) == labels)
    found["reliability"] = reliability(log_p, labels)
    return found


def reliability(log_p: np.ndarray, labels: np.ndarray) -> list[dict[str, float | int | None]]:
    """Per bin of confidence: how many, mean confidence, accuracy; what a reliability diagram draws."""
    p = np.exp(log_p)
    confidence, correct = p.max(1), (p.argmax(1) == labels).astype(float)
    place = bin_of(confidence, bins=BINS)
    counts = np.bincount(place, minlength=BINS)
    sums = [np.bincount(place, v, minlength=BINS) for v in (confidence, correct)]
    return [
        {
            "n": int(n),
            "confidence": float(c / n) if n else None,
            "accuracy": float(a / n) if n else None,
        }
        for n, c, a in zip(counts, *sums, strict=True)
    ]


def risk_coverage(test: Outcomes, arm: str, *, points: int = 50) -> dict[str, list[float]]:
    """The risk-coverage curve over all cells at evenly spread coverages."""
    log_p, labels = _flat(test, arm)
    p = np.exp(log_p)
    coverage, risk = risk_curve(p.max(1), p.argmax(1) == labels)
    chosen = np.unique(np.linspace(0, len(risk) - 1, points).round().astype(int))
    return {"coverage": coverage[chosen].tolist(), "risk": risk[chosen].tolist()}


def ece_change(test: Outcomes, counts: np.ndarray, arm: str, *, draws: int, seed: int) -> dict[str, Any]:
    """Change of the excess ECE from never restoring to ``arm``: the weighted mean over cells, and its interval.

    Per cell, because an overconfident and an underconfident condition would cancel when pooled. The null floors are
    constants here; in the bootstrap the pictures of all cells move together.
    """
    w = test.weights
    value, resampled = 0.0, np.zeros(len(counts))
    for name, sign in (("none", -1.0), (arm, 1.0)):
        for j, weight in enumerate(w):
            p = np.exp(test.log_p[name][:, j])
            confidence, correct = p.max(1), p.argmax(1) == test.labels
            found = with_null("ece", confidence, correct, draws=draws, seed=seed)
            gaps = np.zeros((len(p), BINS))
            gaps[np.arange(len(p)), bin_of(confidence, bins=BINS)] = correct - confidence
            value += sign * weight * found.excess
            resampled += sign * weight * (np.abs(counts @ gaps).sum(1) / counts.sum(1) - found.null)
    return {"value": float(value), "ci": list(interval(resampled))}


def _flat(outcomes: Outcomes, arm: str) -> tuple[np.ndarray, np.ndarray]:
    log_p = outcomes.log_p[arm]
    n, cells, classes = log_p.shape
    return log_p.reshape(n * cells, classes), np.repeat(outcomes.labels, cells)
