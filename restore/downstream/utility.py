"""Does restoring help? Accuracy of every arm per cell, paired tests, and intervals over source pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from restore.downstream.outcomes import Outcomes
from restore.downstream.parts import Arrays
from restore.downstream.statistics.bootstrap import interval, resampled_means
from restore.downstream.statistics.paired import mcnemar
from restore.downstream.suite import Cell

# Mean errors of AlexNet over the five severities (Hendrycks & Dietterich 2019); only for ImageNet-1k at 224 px.
ALEXNET = {
    "gaussian_noise": 0.886428, "shot_noise": 0.894468, "impulse_noise": 0.922640, "defocus_blur": 0.819880,
    "glass_blur": 0.826268, "motion_blur": 0.785948, "zoom_blur": 0.798360, "imagenet-c-snow": 0.866816,
    "frost": 0.826572, "imagenet-c-fog": 0.819324, "brightness": 0.564592, "contrast": 0.853204,
    "elastic_transform": 0.646056, "imagenet-c-pixelate": 0.717840, "jpeg_compression": 0.606500,
}  # fmt: skip


def cell_rows(outcomes: Outcomes, counts: np.ndarray) -> list[dict[str, Any]]:
    """One row per cell: accuracy of every arm, helped and harmed, exact McNemar, gain with its interval, recovery.

    Args:
        outcomes: of the test pictures.
        counts: bootstrap counts of the same pictures (``resamples x N``), shared by all cells and arms.
    """
    none, restore = outcomes.right("none"), outcomes.right("restore")
    clean = outcomes.clean_right("none")
    top5 = {arm: _top(outcomes, arm, 5) for arm in ("none", "restore")} if _classes(outcomes) > 5 else {}
    rows = []
    for j, cell in enumerate(outcomes.cells):
        a, b = none[:, j], restore[:, j]
        helped, harmed = int((~a & b).sum()), int((a & ~b).sum())
        gain = b.astype(float) - a
        drop = clean.astype(float) - a
        means = resampled_means(counts, np.stack([gain, drop], 1))
        row: dict[str, Any] = {
            "corruption": cell.corruption,
            "severity": cell.severity,
            "weight": cell.weight,
            "n": len(a),
            "acc": {
                "clean": float(clean.mean()),
                **{arm: float(outcomes.right(arm)[:, j].mean()) for arm in [*outcomes.log_p, "oracle"]},
            },
            "macro_f1": {arm: _macro_f1(outcomes, arm, j) for arm in ("none", "restore")},
            "helped": helped,
            "harmed": harmed,
            "d_acc": float(gain.mean()),
            "ci": list(interval(means[:, 0])),
            "churn": (helped + harmed) / len(a),
            "rescue": helped / int((~a).sum()) if (~a).any() else None,
            "harm_rate": harmed / int(a.sum()) if a.any() else None,
            "mcnemar_p": mcnemar(helped, harmed),
            **_ratio("recovery", float(gain.mean()), drop, means[:, 1]),
            "r_ce": float((~b).mean() / (~a).mean()) if (~a).any() else None,
        }
        if top5:
            row["top5"] = {arm: float(t[:, j].mean()) for arm, t in top5.items()}
        rows.append(row)
    return rows


def _ratio(name: str, gain: float, drop: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    """gain / mean(drop); null with a reason unless the interval of the denominator excludes 0."""
    low, high = interval(draws)
    if low <= 0 <= high:
        return {name: None, f"{name}_reason": "the loss of accuracy to recover is not distinguishable from 0"}
    return {name: gain / float(drop.mean())}


def aggregate(
    outcomes: Outcomes,
    counts: np.ndarray,
    *,
    arms: Sequence[str] = ("restore", "average", "gate", "baseline", "adapted"),
) -> dict[str, Any]:
    """Per arm the weighted gain over the suite and the clean tax, each with its interval.

    ``per_picture`` holds the weighted differences that the intervals are made of.
    """
    found: dict[str, Any] = {}
    w = outcomes.weights
    none = outcomes.right("none").astype(float)
    for arm in arms:
        if arm not in outcomes.log_p:
            continue
        gain = (outcomes.right(arm) - none) @ w
        entry: dict[str, Any] = {
            "acc": float(outcomes.right(arm).mean(0) @ w),
            "d_acc": float(gain.mean()),
            "ci": list(interval(resampled_means(counts, gain))),
            "harm": float((outcomes.right("none") & ~outcomes.right(arm)).mean(0) @ w),
            "per_picture": gain,
        }
        if arm in outcomes.clean:
            tax = outcomes.clean_right(arm).astype(float) - outcomes.clean_right("none")
            entry["clean_tax"] = {
                "value": float(tax.mean()),
                "ci": list(interval(resampled_means(counts, tax))),
                "acc": float(outcomes.clean_right(arm).mean()),
            }
            entry["per_picture_tax"] = tax
        found[arm] = entry
    return found


def corruption_errors(rows: Sequence[Mapping[str, Any]], *, imagenet: bool) -> dict[str, Any]:
    """Error sums by corruption: restored against degraded (R-mCE, below 1 helps), and AlexNet's mCE where it applies.

    Args:
        imagenet: the classifier has ImageNet-1k's classes at 224 px, the only case AlexNet's errors are for.
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(row["corruption"], []).append(row)
    ratios, by_arm = {}, {"none": {}, "restore": {}}  # type: ignore[var-annotated]
    for kind, cells in kinds.items():
        errors = {arm: sum(1 - c["acc"][arm] for c in cells) for arm in by_arm}
        ratios[kind] = errors["restore"] / errors["none"] if errors["none"] > 0 else None
        if imagenet and kind in ALEXNET and sorted(c["severity"] or 0 for c in cells) == [1, 2, 3, 4, 5]:
            for arm in by_arm:
                by_arm[arm][kind] = errors[arm] / (5 * ALEXNET[kind])
    known = [r for r in ratios.values() if r is not None]
    result: dict[str, Any] = {
        "r_mce": float(np.mean(known)) if known else None,
        "by_corruption": ratios,
        "mca": {arm: float(np.mean([r["acc"][arm] for r in rows])) for arm in by_arm},
    }
    if len(by_arm["none"]) == len(ALEXNET):
        result["mce"] = {arm: float(np.mean(list(values.values()))) for arm, values in by_arm.items()}
    else:
        result["mce"] = None
        result["mce_reason"] = "needs ImageNet-1k at 224 px and all 15 corruptions at 5 severities"
    return result


def quality(
    cells: Sequence[Cell],
    by_cell: Mapping[str, Mapping[str, Arrays]],
    *,
    restorer: str,
    gains: Sequence[float],
    keep: np.ndarray,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """PSNR and SSIM per cell before and after, and their rank correlation with the task's gain.

    Args:
        gains: the gain in accuracy of each cell.
        keep: which pictures count (the test part).

    Returns:
        Rows by cell, and Spearman's rho of (gain in PSNR, gain in accuracy) over all cells and within each corruption
        of three severities or more: pooled correlation hides reversals.
    """
    rows: list[dict[str, Any]] = []
    for cell in cells:
        row: dict[str, Any] = {}
        for measure in ("psnr", "ssim"):
            values = {
                name: by_cell[cell.key][arm][measure][keep]
                for name, arm in (("none", "none"), ("restore", restorer))
            }
            row[measure] = {
                # A picture that equals its original has an infinite PSNR, which would be everybody's mean.
                n: float(np.mean(v[np.isfinite(v)])) if np.isfinite(v).any() else None
                for n, v in values.items()
            }
        rows.append(row)
    change = [
        row["psnr"]["restore"] - row["psnr"]["none"] if None not in row["psnr"].values() else None
        for row in rows
    ]
    known = [(c.corruption, d, g) for c, d, g in zip(cells, change, gains, strict=True) if d is not None]
    kinds = {kind: [(d, g) for k, d, g in known if k == kind] for kind, _, _ in known}
    return rows, {
        "pooled": _spearman([(d, g) for _, d, g in known]),
        "within": {kind: _spearman(pairs) for kind, pairs in kinds.items() if len(pairs) >= 3},
    }


def confusion(test: Outcomes) -> dict[str, list[list[int]]]:
    """Answers counted by (label, answer) over all cells, never and always restoring."""
    classes = _classes(test)
    found = {}
    for arm in ("none", "restore"):
        answers = test.log_p[arm].argmax(2)
        labels = np.repeat(test.labels, answers.shape[1])
        counts = np.bincount(labels * classes + answers.ravel(), minlength=classes**2)
        found[arm] = counts.reshape(classes, classes).tolist()
    return found


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    from scipy.stats import spearmanr

    if len(pairs) < 3 or len({d for d, _ in pairs}) < 2 or len({g for _, g in pairs}) < 2:
        return None
    return float(spearmanr([d for d, _ in pairs], [g for _, g in pairs]).statistic)


def _classes(outcomes: Outcomes) -> int:
    return outcomes.log_p["none"].shape[2]


def _top(outcomes: Outcomes, arm: str, k: int) -> np.ndarray:
    best = np.argpartition(-outcomes.log_p[arm], k - 1, axis=2)[:, :, :k]
    return (best == outcomes.labels[:, None, None]).any(2)


def _macro_f1(outcomes: Outcomes, arm: str, j: int) -> float:
    """F1 averaged over the classes that occur among the labels."""
    predicted, labels = outcomes.log_p[arm][:, j].argmax(1), outcomes.labels
    scores = []
    for c in np.unique(labels):
        both = int(((predicted == c) & (labels == c)).sum())
        either = int((predicted == c).sum() + (labels == c).sum())
        scores.append(2 * both / either)
    return float(np.mean(scores))
