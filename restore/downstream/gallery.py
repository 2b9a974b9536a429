"""The most harmed, the most helped and the laundered pictures, to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from restore.downstream.labelled import Labelled
from restore.downstream.outcomes import Outcomes
from restore.downstream.suite import Cell, degrade
from restore.image import tensor_to_array

SHOWN_SIDE = 192


@dataclass(frozen=True)
class Look:
    """One picture: its kind ("harmed", "helped", "laundered"), a title, a note, and (label, array) views."""

    kind: str
    title: str
    note: str
    views: list[tuple[str, np.ndarray]]


def most_changed(test: Outcomes, *, count: int) -> dict[str, list[tuple[int, int]]]:
    """Per kind the (test picture, cell) pairs whose probability of the label changed most, one per picture."""
    rows = np.arange(len(test.labels))
    p = {arm: np.exp(test.log_p[arm][rows, :, test.labels]) for arm in ("none", "restore")}
    change = p["restore"] - p["none"]
    right = {arm: test.right(arm) for arm in p}
    found: dict[str, list[tuple[int, int]]] = {}
    for kind, where, sign in (
        ("harmed", right["none"] & ~right["restore"], 1),
        ("helped", ~right["none"] & right["restore"], -1),
    ):
        value = np.where(where, sign * change, np.inf)
        cell = value.argmin(1)
        best = value.min(1)
        order = [int(i) for i in np.argsort(best, kind="stable") if np.isfinite(best[i])]
        found[kind] = [(i, int(cell[i])) for i in order[:count]]
    return found


def look(
    kind: str,
    data: Labelled,
    i: int,
    cell: Cell,
    *,
    cut: Callable[[Tensor], Tensor],
    restorer: Callable[[Tensor], Tensor],
    classifier: Callable[[Tensor], Tensor],
    seed: int,
    known: bool = True,
) -> Look:
    """The picture, degraded, restored and what was changed, with the answers below."""
    x = cut(data.read(i)[None])
    y = degrade(cell, x, [data.ids[i]], seed=seed, dataset=data.name)
    z = restorer(y)
    views = [("degraded", y), ("restored", z), ("clean", x)]
    if z.shape == y.shape:
        views.append(("change", (0.5 + (z - y)).clamp(0, 1)))
    answers = []
    with torch.no_grad():
        for name, picture in views[:3]:
            p = classifier(picture).softmax(1)[0]
            top = int(p.argmax())
            label = data.classes[top] if known and top < len(data.classes) else str(top)
            answers.append(f"{name}: {label} ({float(p[top]):.2f})")
    truth = f"is {data.classes[int(data.labels[i])]}; " if known else "none of the classes; "
    return Look(
        kind,
        f"{kind}: {data.ids[i]}, {cell.key}",
        truth + ", ".join(answers),
        [(name, _enlarged(picture)) for name, picture in views],
    )


def laundered(before: np.ndarray, after: np.ndarray, threshold: float, *, count: int) -> list[int]:
    """Foreign pictures that were flagged and are accepted once restored, the largest change first."""
    where = (before > threshold) & (after <= threshold)
    order = np.argsort(np.where(where, after - before, np.inf), kind="stable")
    return [int(i) for i in order if where[i]][:count]


def _enlarged(x: Tensor) -> np.ndarray:
    array = tensor_to_array(x.clamp(0, 1), np.uint8)
    times = max(1, SHOWN_SIDE // max(array.shape[:2]))
    return np.repeat(np.repeat(array, times, 0), times, 1)


def flat(looks: Sequence[Look]) -> dict[str, list[dict[str, str]]]:
    """What the JSON keeps: titles and notes by kind."""
    return {
        kind: [{"title": entry.title, "note": entry.note} for entry in looks if entry.kind == kind]
        for kind in ("harmed", "helped", "laundered")
    }
