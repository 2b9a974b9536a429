"""What a gate gains and loses per corruption, beside always and never restoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restore.downstream.gate.rule import GateRule
from restore.downstream.outcomes import Outcomes
from restore.downstream.statistics.bootstrap import interval, resampled_means


def gate_summary(
    rule: GateRule, test: Outcomes, left_out: np.ndarray, corruptions: Sequence[str], counts: np.ndarray
) -> dict[str, Any]:
    """Per corruption, severities pooled: never, always, average, gate, and the gate that has never seen it.

    ``regret`` is the accuracy above the better of never and always (that of all test pictures, also in the
    resamples), below 0 where the gate loses; ``regret_low`` the lower end of its interval over source pictures.

    Args:
        test: outcomes of the test pictures, with the arm ``gate``.
        left_out: log probabilities, pictures x cells x classes, of :func:`leave_one_out`.
        corruptions: of every cell.
        counts: of :func:`restore.downstream.statistics.resample_counts`, for the test pictures.
    """
    rows: list[dict[str, Any]] = []
    right = {arm: test.right(arm).astype(float) for arm in ("none", "restore", "average", "gate")}
    right["left_out"] = (left_out.argmax(2) == test.labels[:, None]).astype(float)
    lost: dict[str, list[np.ndarray]] = {"regret": [], "left_out_regret": []}
    for kind in dict.fromkeys(corruptions):
        mine = [i for i, k in enumerate(corruptions) if k == kind]
        each = {arm: v[:, mine].mean(1) for arm, v in right.items()}
        acc = {arm: float(v.mean()) for arm, v in each.items()}
        better = each[max(("none", "restore"), key=acc.__getitem__)]
        row: dict[str, Any] = {"corruption": kind, **acc}
        for name, arm in (("regret", "gate"), ("left_out_regret", "left_out")):
            lost[name].append(each[arm] - better)
            row |= _mean_and_low(name, lost[name][-1], counts)
        rows.append(row)
    found: dict[str, Any] = {"certificate": rule.certificate, "shift": rule.shift, "corruptions": rows}
    for name, parts in lost.items():
        found |= _mean_and_low(f"pooled_{name}", np.mean(parts, 0), counts)
        found |= {f"worst_{key}": min(row[key] for row in rows) for key in (name, f"{name}_low")}
    return found


def _mean_and_low(name: str, values: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    return {name: float(values.mean()), f"{name}_low": interval(resampled_means(counts, values))[0]}
