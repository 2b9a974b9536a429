"""All detectors over all cells for one classifier and restorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from restore.downstream.gate.features import gate_features
from restore.downstream.gate.rule import GateRule
from restore.downstream.ood.logit_scores import LOGIT_SCORES
from restore.downstream.ood.transfer import transfer_rows
from restore.downstream.parts import Arrays
from restore.downstream.suite import Cell

ByArm = Mapping[str, Arrays]


def detector_block(
    cells: Sequence[Cell],
    familiar: Mapping[str, ByArm],
    clean: ByArm,
    foreign: Mapping[str, ByArm],
    foreign_clean: ByArm,
    *,
    classifier: int,
    restorer: str,
    part: np.ndarray,
    rule: GateRule | None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Per detector what :func:`restore.downstream.ood.transfer.transfer_rows` finds; "gate" is the gate's policy.

    Under a gate the detector sees what the gate sends on: the restored picture where it restores or blends with at
    least half the weight, else the picture itself.
    """
    tune, test = part == "tune", part == "test"
    if not tune.any():
        tune = test
    found = {}
    policies = ["restore"] if rule is None else ["restore", "gate"]
    for name in score_names(clean["none"], classifier):

        def scored(arms: ByArm, keep: np.ndarray | slice, name: str = name) -> dict[str, np.ndarray]:
            both = {
                arm: score(arms[key], classifier, name)[keep]
                for arm, key in (("none", "none"), ("restore", restorer))
            }
            if rule is not None:
                restored = gate_weight(rule, arms, classifier, restorer)[keep] >= 0.5
                both["gate"] = np.where(restored, both["restore"], both["none"])
            return both

        plain = score(clean["none"], classifier, name)
        found[name] = transfer_rows(
            [c.key for c in cells],
            {c.key: scored(familiar[c.key], test) for c in cells},
            {c.key: scored(foreign[c.key], slice(None)) for c in cells},
            clean={"tune": plain[tune], "test": plain[test]},
            foreign_clean=score(foreign_clean["none"], classifier, name),
            weights=np.array([c.weight for c in cells]),
            policies=policies,
            resamples=resamples,
            seed=seed,
        )
    return found


def score_names(arrays: Arrays, classifier: int) -> list[str]:
    """The detectors that there are scores of: those of the logits, and those that were run."""
    prefix = f"score/{classifier}/"
    return [*LOGIT_SCORES, *(k.removeprefix(prefix) for k in arrays if k.startswith(prefix))]


def score(arrays: Arrays, classifier: int, name: str) -> np.ndarray:
    """The scores of one detector, larger for more foreign pictures."""
    if name in LOGIT_SCORES:
        return LOGIT_SCORES[name](arrays[f"logits/{classifier}"])
    return arrays[f"score/{classifier}/{name}"]


def gate_weight(rule: GateRule, arms: ByArm, classifier: int, restorer: str) -> np.ndarray:
    """The gate's weight of the restored picture."""
    none, restored = arms["none"], arms[restorer]
    held = [
        none["stats"],
        restored["stats"],
        none[f"logits/{classifier}"],
        restored[f"logits/{classifier}"],
        restored[f"kept/{classifier}"],
    ]
    return rule.weight(gate_features(*(torch.from_numpy(v) for v in held))).numpy()
