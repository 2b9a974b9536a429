"""Per-picture rows: what every picture was answered in every cell by every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from restore.downstream.outcomes import Outcomes
from restore.downstream.suite import CLEAN

DIGITS = 6


def per_picture_rows(outcomes: Outcomes, ids: Sequence[str]) -> dict[str, Any]:
    """Columns of equal length, one entry per (picture, cell), clean pictures under the cell ``clean``.

    Besides picture, source, part, cell and label there are per arm ``prediction``, ``confidence`` (the largest
    probability), ``p_true`` (of the label) and ``square`` (the sum of squared probabilities): enough for accuracy,
    helped and harmed, NLL, Brier, both calibration errors, risk-coverage and all intervals.
    """
    n = len(outcomes.labels)
    keys = [c.key for c in outcomes.cells]
    found: dict[str, Any] = {
        "picture": [i for i in ids for _ in range(len(keys) + 1)],
        "source": np.repeat(outcomes.sources, len(keys) + 1).tolist(),
        "part": np.repeat(outcomes.part, len(keys) + 1).tolist(),
        "cell": [*keys, CLEAN] * n,
        "label": np.repeat(outcomes.labels, len(keys) + 1).tolist(),
        "arms": {},
    }
    for arm, log_p in outcomes.log_p.items():
        p = np.exp(np.concatenate([log_p, outcomes.clean[arm][:, None]], 1))
        true = np.take_along_axis(p, outcomes.labels[:, None, None].repeat(p.shape[1], 1), 2)[:, :, 0]
        found["arms"][arm] = {
            "prediction": p.argmax(2).ravel().tolist(),
            "confidence": p.max(2).ravel().round(DIGITS).tolist(),
            "p_true": true.ravel().round(DIGITS).tolist(),
            "square": (p**2).sum(2).ravel().round(DIGITS).tolist(),
        }
    return found


def recount(rows: Mapping[str, Any], *, arm: str = "restore") -> dict[str, dict[str, Any]]:
    """Accuracy of two arms, helped and harmed per cell, from rows alone; the test part.

    Args:
        rows: as :func:`per_picture_rows` gave them, also after JSON.
    """
    cell, label, part = (np.asarray(rows[k]) for k in ("cell", "label", "part"))
    none, other = (np.asarray(rows["arms"][a]["prediction"]) == label for a in ("none", arm))
    found = {}
    for key in dict.fromkeys(rows["cell"]):
        here = (cell == key) & (part == "test")
        a, b = none[here], other[here]
        found[str(key)] = {
            "n": int(here.sum()),
            "none": float(a.mean()),
            arm: float(b.mean()),
            "helped": int((~a & b).sum()),
            "harmed": int((a & ~b).sum()),
        }
    return found
