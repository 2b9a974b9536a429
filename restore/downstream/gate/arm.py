"""The gate as an arm of the judgement: fitted on tune, certified on certify, applied to every picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.downstream.gate.features import gate_features
from restore.downstream.gate.rule import SHIFTS, GateRule, certify, fit_rule, gated
from restore.downstream.outcomes import Outcomes
from restore.downstream.parts import Arrays

# Clean pictures weigh as much as this share of the suite when a gate is fitted: a deployment meets them too.
CLEAN_SHARE = 0.15


@dataclass
class GateTable:
    """Features ``N x (cells + 1) x F`` of the judged pictures, the clean ones last."""

    features: Tensor
    outcomes: Outcomes

    def rows(self, part: str, cells: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(features, log p none, log p restored, labels) of the pictures of a part in some cells, clean is -1."""
        keep = np.flatnonzero(self.outcomes.part == part)
        none, restore = (self._log_p(arm)[keep][:, list(cells)] for arm in ("none", "restore"))
        classes = none.shape[2]
        return (
            self.features[keep][:, list(cells)].flatten(0, 1),
            torch.from_numpy(none).reshape(-1, classes),
            torch.from_numpy(restore).reshape(-1, classes),
            torch.from_numpy(np.repeat(self.outcomes.labels[keep], len(cells))),
        )

    def _log_p(self, arm: str) -> np.ndarray:
        return np.concatenate([self.outcomes.log_p[arm], self.outcomes.clean[arm][:, None]], 1)


def gate_table(
    outcomes: Outcomes,
    by_cell: Mapping[str, Mapping[str, Arrays]],
    clean: Mapping[str, Arrays],
    *,
    classifier: int,
    restorer: str,
) -> GateTable:
    """The features of every judged picture in every cell."""

    def of(arms: Mapping[str, Arrays]) -> Tensor:
        none, restored = arms["none"], arms[restorer]
        held = (none["stats"], restored["stats"], none[f"logits/{classifier}"], restored[f"logits/{classifier}"],
                restored[f"kept/{classifier}"])  # fmt: skip
        return gate_features(*(torch.from_numpy(v) for v in held))

    return GateTable(torch.stack([*(of(by_cell[c.key]) for c in outcomes.cells), of(clean)], 1), outcomes)


def fit_gate(
    table: GateTable, *, budget: float, delta: float = 0.05, seed: int = 0, cells: Sequence[int] | None = None
) -> GateRule:
    """A certified rule from the tune and certify pictures.

    Args:
        cells: numbers of the cells to fit and certify on; None: all. Leaving those of one corruption out shows what
            the gate does with what it has never seen.
    """
    chosen = list(range(len(table.outcomes.cells))) if cells is None else list(cells)
    features, none, restored, labels = table.rows("tune", [*chosen, -1])
    w = torch.from_numpy(table.outcomes.weights[chosen])
    weights = torch.cat([w / w.sum(), torch.tensor([CLEAN_SHARE])]).repeat(len(labels) // (len(chosen) + 1))
    rule = fit_rule(features, none, restored, labels, weights=weights, seed=seed)
    return certify(rule, *_one_each(table, chosen, seed), budget=budget, delta=delta)


def _one_each(table: GateTable, cells: Sequence[int], seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One cell per certify source, drawn by the deployment's weights, so that rows are independent."""
    features, none, restored, labels = table.rows("certify", cells)
    keep = table.outcomes.part == "certify"
    _, first = np.unique(table.outcomes.sources[keep], return_index=True)
    weights = table.outcomes.weights[list(cells)].tolist()
    g = draw.generator(draw.child_seed(seed, "certify"))
    picked = torch.tensor(
        [int(i) * len(cells) + draw.draw_weighted(weights, g) for i in first], dtype=torch.long
    )
    return features[picked], none[picked], restored[picked], labels[picked]


def apply_gate(table: GateTable, rule: GateRule) -> tuple[np.ndarray, np.ndarray]:
    """(``N x cells x classes`` log-probabilities, ``N x classes`` on clean pictures) of the gate's answers."""
    every = np.concatenate([table.outcomes.log_p["none"], table.outcomes.clean["none"][:, None]], 1)
    other = np.concatenate([table.outcomes.log_p["restore"], table.outcomes.clean["restore"][:, None]], 1)
    n, cells, classes = every.shape
    mixed = gated(
        rule,
        table.features.flatten(0, 1),
        torch.from_numpy(every).reshape(-1, classes),
        torch.from_numpy(other).reshape(-1, classes),
    )
    whole = mixed.numpy().reshape(n, cells, classes)
    return whole[:, :-1], whole[:, -1]


def leave_one_out(table: GateTable, *, budget: float, delta: float = 0.05, seed: int = 0) -> np.ndarray:
    """``N x cells x classes``: every corruption answered by a gate that has never seen it at any severity."""
    answers = table.outcomes.log_p["none"].copy()
    kinds = [c.corruption for c in table.outcomes.cells]
    for kind in dict.fromkeys(kinds):
        others = [i for i, k in enumerate(kinds) if k != kind]
        if others:
            rule = fit_gate(table, budget=budget, delta=delta, seed=seed, cells=others)
            mine = [i for i, k in enumerate(kinds) if k == kind]
            answers[:, mine] = apply_gate(table, rule)[0][:, mine]
    return answers


def gate_curve(table: GateTable, rule: GateRule) -> list[dict[str, float]]:
    """Gain and harm on the test pictures by how careful the rule is (its shift), the suite weighted."""
    keep = table.outcomes.part == "test"
    test, w = table.outcomes.only("test"), table.outcomes.weights
    none = test.right("none")
    found = []
    for shift in SHIFTS[::3]:
        answers = apply_gate(table, replace(rule, shift=float(shift)))[0][keep]
        right = answers.argmax(2) == test.labels[:, None]
        found.append(
            {
                "shift": float(shift),
                "gain": float((right.astype(float) - none).mean(0) @ w),
                "harm": float((none & ~right).mean(0) @ w),
            }
        )
    return found
