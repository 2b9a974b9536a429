"""What a gate gains and loses per corruption, beside always and never restoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restore.downstream.gate.rule import GateRule
from restore.downstream.outcomes import Outcomes


def gate_summary(
    rule: GateRule, test: Outcomes, left_out: np.ndarray, corruptions: Sequence[str]
) -> dict[str, Any]:
    """Per corruption, severities pooled: never, always, average, gate, and the gate that has never seen it.

    Args:
        test: outcomes of the test pictures, with the arm ``gate``.
        left_out: log probabilities, pictures x cells x classes, of :func:`leave_one_out`.
        corruptions: of every cell.
    """
    rows: list[dict[str, Any]] = []
    unseen = left_out.argmax(2) == test.labels[:, None]
    for kind in dict.fromkeys(corruptions):
        mine = [i for i, k in enumerate(corruptions) if k == kind]
        acc = {arm: float(test.right(arm)[:, mine].mean()) for arm in ("none", "restore", "average", "gate")}
        left = float(unseen[:, mine].mean())
        better = max(acc["none"], acc["restore"])
        rows.append(
            {"corruption": kind, **acc, "left_out": left, "regret": acc["gate"] - better,
             "left_out_regret": left - better}
        )  # fmt: skip
    return {
        "certificate": rule.certificate,
        "shift": rule.shift,
        "corruptions": rows,
        "worst_regret": min(r["regret"] for r in rows),
        "worst_left_out_regret": min(r["left_out_regret"] for r in rows),
    }
