"""Does restoring bring a degraded picture back inside, and does it launder a foreign one in?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from restore.downstream.ood.separation import auroc, keep_threshold, separation
from restore.downstream.statistics.bootstrap import interval, resample_counts, resampled_means


def transfer_rows(
    cells: Sequence[str],
    familiar: Mapping[str, Mapping[str, np.ndarray]],
    foreign: Mapping[str, Mapping[str, np.ndarray]],
    *,
    clean: Mapping[str, np.ndarray],
    foreign_clean: np.ndarray,
    weights: np.ndarray,
    policies: Sequence[str] = ("restore",),
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """What one detector's scores say, all larger for more foreign pictures.

    Args:
        cells: their keys, in the order of ``weights``.
        familiar: per cell the scores of test pictures by arm ("none" and every policy).
        foreign: per cell the scores of foreign pictures by arm.
        clean: scores of clean familiar pictures: "tune" fixes the threshold (95 % are kept), "test" is compared.
        foreign_clean: scores of undegraded foreign pictures.
        policies: arms that restore.

    Returns:
        ``threshold``, ``cells`` (flag rates, separation, full-spectrum AUROC, its recovery) and per policy
        ``laundering``: value, 95 % interval, one-sided bounds, per source picture.
    """
    threshold = keep_threshold(clean["tune"])
    rows = []
    full_clean = auroc(clean["test"], foreign_clean)
    for key in cells:
        row: dict[str, Any] = {"cell": key}
        for arm in ("none", *policies):
            mine, theirs = familiar[key][arm], foreign[key][arm]
            row[arm] = {
                "flag": float((mine > threshold).mean()),
                "accepted": float((theirs <= threshold).mean()),
                **separation(mine, theirs),
                "fs": auroc(np.concatenate([clean["test"], mine]), theirs),
            }
        for policy in policies:
            room = full_clean - row["none"]["fs"]
            change = row[policy]["fs"] - row["none"]["fs"]
            # Without a loss of separation there is nothing to recover; a small denominator would explode.
            row[policy]["fs_recovery"] = change / room if room > 0.02 else None
        rows.append(row)
    laundering = {}
    count = len(foreign_clean)
    counts = resample_counts(np.arange(count), resamples=resamples, seed=seed)
    for policy in policies:
        each = np.stack(
            [
                (foreign[k][policy] <= threshold).astype(float) - (foreign[k]["none"] <= threshold)
                for k in cells
            ],
            1,
        ) @ (weights / weights.sum())
        draws = resampled_means(counts, each)
        low, high = interval(draws)
        one_low, one_high = interval(draws, level=0.9)
        laundering[policy] = {
            "value": float(each.mean()),
            "ci": [low, high],
            "lower": one_low,
            "upper": one_high,
            "per_picture": each,
        }
    pooled = {
        "clean": clean["test"],
        "none": np.concatenate([familiar[k]["none"] for k in cells]),
        "restore": np.concatenate([familiar[k][policies[0]] for k in cells]),
        "foreign": np.concatenate([foreign[k]["none"] for k in cells]),
        "foreign_restore": np.concatenate([foreign[k][policies[0]] for k in cells]),
    }
    return {
        "threshold": threshold,
        "clean_auroc": full_clean,
        "cells": rows,
        "laundering": laundering,
        "histograms": histograms(pooled),
    }


def histograms(scores: Mapping[str, np.ndarray], *, bins: int = 40) -> dict[str, list[float]]:
    """Shares per bin of common ``edges`` from the 0.5 % to the 99.5 % quantile of all scores, outer ones cut in."""
    every = np.concatenate(list(scores.values()))
    low, high = np.quantile(every, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    found = {"edges": edges.tolist()}
    for name, values in scores.items():
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        found[name] = (counts / len(values)).tolist()
    return found
