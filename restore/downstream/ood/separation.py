"""How well a score separates foreign pictures from familiar ones. Foreign pictures are the positive class."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def auroc(familiar: np.ndarray, foreign: np.ndarray) -> float:
    """Probability that a foreign picture scores higher than a familiar one, ties counting one half."""
    ranks = rankdata(np.concatenate([familiar, foreign]))
    n, m = len(familiar), len(foreign)
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


def aupr(familiar: np.ndarray, foreign: np.ndarray) -> float:
    """Average precision with foreign pictures positive: sum over thresholds of precision times the step in recall."""
    scores = np.concatenate([foreign, familiar])
    positive = np.concatenate([np.ones(len(foreign)), np.zeros(len(familiar))])
    order = np.argsort(-scores, kind="stable")
    hits, ranked = positive[order].cumsum(), scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal scores are accepted together
    precision = (hits / np.arange(1, len(hits) + 1))[last]
    recall = hits[last] / len(foreign)
    return float((precision * np.diff(recall, prepend=0.0)).sum())


def fpr_at_95_id(familiar: np.ndarray, foreign: np.ndarray) -> float:
    """FPR@95ID: share of foreign pictures accepted when 95 % of the familiar ones are (ODIN, Energy)."""
    return float((foreign <= keep_threshold(familiar)).mean())


def frr_at_95_ood(familiar: np.ndarray, foreign: np.ndarray) -> float:
    """FRR@95OOD: share of familiar pictures flagged when 95 % of the foreign ones are (OpenOOD, pytorch-ood)."""
    ordered = np.sort(foreign)[::-1]
    threshold = ordered[int(np.ceil(0.95 * len(ordered))) - 1]
    return float((familiar >= threshold).mean())


def keep_threshold(familiar: np.ndarray, *, share: float = 0.95) -> float:
    """The smallest score at or below which ``share`` of the familiar pictures lie."""
    ordered = np.sort(familiar)
    return float(ordered[int(np.ceil(share * len(ordered))) - 1])


def separation(familiar: np.ndarray, foreign: np.ndarray) -> dict[str, float]:
    """All four: ``auroc``, ``aupr``, ``fpr95id``, ``frr95ood``."""
    return {
        "auroc": auroc(familiar, foreign),
        "aupr": aupr(familiar, foreign),
        "fpr95id": fpr_at_95_id(familiar, foreign),
        "frr95ood": frr_at_95_ood(familiar, foreign),
    }
