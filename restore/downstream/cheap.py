"""Which cheap filter the restorer is compared with: the best on the tune pictures, found before all others are run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restore.downstream.labelled import Labelled
from restore.downstream.parallel import Task, run_tasks
from restore.downstream.passes import Passes
from restore.downstream.suite import Cell


def choose_cheap(
    passes: Passes, data: Labelled, index: Sequence[int], cells: Sequence[Cell], *, judged: int, jobs: int = 1
) -> list[dict[str, Any]]:
    """Per classifier the ``name`` of the best restorer of ``passes``, and the ``tune_accuracy`` of each.

    Args:
        index: the pictures to choose on.
        cells: the suite; accuracies are weighted as it is.
        judged: of the passes' classifiers the first this many choose.
        jobs: processes, see :func:`restore.downstream.parallel.run_tasks`.
    """
    by_cell = run_tasks([Task(passes, data, index, cell) for cell in cells], jobs=jobs)
    weights = np.array([cell.weight for cell in cells])
    labels = data.labels[list(index)]
    found: list[dict[str, Any]] = []
    for k in range(judged):
        scores: dict[str, float] = {}
        for r in passes.restorers:
            right = [(arms[r.name][f"logits/{k}"].argmax(1) == labels).mean() for arms in by_cell]
            scores[r.name] = float(np.average(right, weights=weights))
        found.append({"name": max(scores, key=lambda name: scores[name]), "tune_accuracy": scores})
    return found
