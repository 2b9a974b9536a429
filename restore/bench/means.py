"""Means over pictures, of which some may equal their originals: their PSNR is infinite and counts apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

METRICS = ("psnr", "psnr_y", "ssim", "ssim_y")


def mean(values: Sequence[float]) -> float:
    """The mean of the finite ones; infinity when all that are defined are infinite, NaN when none is defined."""
    finite = [v for v in values if math.isfinite(v)]
    if finite:
        return sum(finite) / len(finite)
    return next((v for v in values if not math.isnan(v)), math.nan)


def count_finite(values: Sequence[float]) -> int:
    """How many values :func:`mean` is over."""
    return sum(math.isfinite(v) for v in values)


def unequal_counts(entry: Mapping[str, Any]) -> list[str]:
    """In words, which means of a summary's entry are over fewer pictures than it has, since others are identical."""
    identical: Mapping[str, int] = entry.get("identical") or {}
    alike: dict[int, list[str]] = {}
    for key, number in identical.items():
        alike.setdefault(number, []).append(key)
    return [
        f"{' and '.join(keys)}: all {number} pictures are identical (infinite dB)"
        if number == entry["images"]
        else f"{' and '.join(keys)}: mean over {entry['images'] - number} of {entry['images']} pictures; "
        f"{number} identical (infinite dB)"
        for number, keys in alike.items()
    ]


def count_identical(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, int]:
    """Per key the number of infinite values, where there are any."""
    counts = {k: sum(isinstance(r[k], float) and math.isinf(r[k]) for r in rows) for k in keys}
    return {k: n for k, n in counts.items() if n}


def summarise(
    rows: Sequence[Mapping[str, Any]],
    *,
    model: str,
    degradation: str,
    measures: Sequence[str] = (),
    **extra: Any,
) -> dict[str, Any]:
    """Means of one model under one condition.

    Scores are means of the pictures' scores (PSNR: of their dB); a score that is not defined for a picture
    (SSIM below 11 px) is left out, and so is an infinite one (PSNR of a picture that equals its original), as
    long as there is a finite one: ``identical`` counts those per score. Times are total seconds by total
    megapixels of what comes out. NaN: nothing to average.
    """
    mine = [r for r in rows if r["model"] == model and r["degradation"] == degradation]
    timed = [r for r in mine if r["seconds"] is not None]
    area = sum(r["megapixels"] for r in timed)

    def rate(key: str) -> float | None:
        return sum(r[key] for r in timed) / area if timed else None

    return {
        "model": model,
        "degradation": degradation,
        **{m: mean([r[m] for r in mine]) for m in (*METRICS, *measures)},
        "identical": count_identical(mine, (*METRICS, *measures)),
        "seconds_per_megapixel": rate("seconds"),
        "cpu_seconds_per_megapixel": rate("cpu_seconds"),
        "images": len(mine),
        **extra,
    }


def add_gains(summary: Sequence[dict[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """PSNR over the starting row of the same condition, as ``gain``.

    The difference of the means; where one of them leaves identical pictures out, the mean of the differences of
    the pictures that both have finite scores for.
    """
    scores = {(r["degradation"], r["model"], r["image"]): r["psnr"] for r in rows}
    starts = {e["degradation"]: e for e in summary if not e["judged"]}
    for entry in summary:
        start = starts.get(entry["degradation"])
        if not entry["judged"]:
            entry["gain"] = None
        elif start is None:
            entry["gain"] = math.nan
        elif "psnr" in {**entry["identical"], **start["identical"]}:
            condition, model = entry["degradation"], entry["model"]
            pairs = [
                (score, scores.get((condition, start["model"], image), math.nan))
                for (c, m, image), score in scores.items()
                if (c, m) == (condition, model)
            ]
            entry["gain"] = mean([0.0 if a == b else a - b for a, b in pairs])
        else:
            entry["gain"] = entry["psnr"] - start["psnr"]


def add_shares(summary: Sequence[dict[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """The share of pictures whose PSNR is above that of the starting row, as ``improved``."""
    scores = {(r["degradation"], r["model"], r["image"]): r["psnr"] for r in rows}
    start = {e["degradation"]: e["model"] for e in summary if not e["judged"]}
    for entry in summary:
        condition = entry["degradation"]
        better = [
            scores[key] > scores[condition, start[condition], key[2]]
            for key in scores
            if key[:2] == (condition, entry["model"]) and (condition, start.get(condition), key[2]) in scores
        ]
        entry["improved"] = sum(better) / len(better) if better and entry["judged"] else None
