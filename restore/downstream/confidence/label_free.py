"""Accuracy without labels, from confidence alone: ATC and the difference of confidences, with their own error."""

from __future__ import annotations

from typing import Any

import numpy as np

from restore.downstream.outcomes import Outcomes


def difference_of_confidences(source: np.ndarray, accuracy: float, target: np.ndarray) -> float:
    """``acc_s - (mean conf_s - mean conf_t)`` (DoC; Guillory et al., ICCV 2021)."""
    return float(accuracy - (source.mean() - target.mean()))


def average_thresholded_confidence(source: np.ndarray, correct: np.ndarray, target: np.ndarray) -> float:
    """Share of target confidences at or above t, t such that as many source ones lie below as are wrong (ATC).

    Garg et al., ICLR 2022. Confidence is the largest probability, or minus the entropy.
    """
    wrong = round(float(1 - correct.mean()) * len(source))
    ordered = np.sort(source)
    threshold = ordered[wrong] if wrong < len(ordered) else np.inf
    return float((target >= threshold).mean())


def label_free(test: Outcomes, tune: Outcomes) -> dict[str, Any]:
    """Per method the accuracy it foretells for never and always restoring, per cell, and its mean absolute error.

    The source of "none" is the classifier on clean tune pictures, that of "restore" the same behind the restorer;
    labels of degraded pictures are only used to measure the error.
    """
    rows: list[dict[str, Any]] = []
    for j, cell in enumerate(test.cells):
        row: dict[str, Any] = {"cell": cell.key}
        for arm in ("none", "restore"):
            source, target = np.exp(tune.clean[arm]), np.exp(test.log_p[arm][:, j])
            correct = source.argmax(1) == tune.labels
            row[arm] = {
                "true": float((target.argmax(1) == test.labels).mean()),
                "atc": average_thresholded_confidence(source.max(1), correct, target.max(1)),
                "atc_entropy": average_thresholded_confidence(
                    _negative_entropy(source), correct, _negative_entropy(target)
                ),
                "doc": difference_of_confidences(source.max(1), float(correct.mean()), target.max(1)),
            }
        rows.append(row)
    methods = []
    for name in ("atc", "atc_entropy", "doc"):
        errors = {arm: [abs(r[arm][name] - r[arm]["true"]) for r in rows] for arm in ("none", "restore")}
        gains = [
            (r["restore"][name] - r["none"][name], r["restore"]["true"] - r["none"]["true"]) for r in rows
        ]
        methods.append(
            {
                "method": name,
                "mae": {arm: float(np.mean(e)) for arm, e in errors.items()},
                "gain_mae": float(np.mean([abs(p - t) for p, t in gains])),
                "gain_sign_right": float(np.mean([np.sign(p) == np.sign(t) for p, t in gains])),
            }
        )
    return {"methods": methods, "cells": rows}


def _negative_entropy(p: np.ndarray) -> np.ndarray:
    return (p * np.log(np.maximum(p, 1e-30))).sum(1)
