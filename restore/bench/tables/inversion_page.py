"""What the comparison of inversion methods found: means with intervals, and a page of tables."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from restore.errors import UsageError
from restore.report import Column, markdown_table


def summarise(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the pictures of a cell, and for PSNR the half-width of the 95 % interval."""
    from scipy.stats import t

    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["condition"], row["method"]), []).append(row)
    made = []
    for (condition, method), members in groups.items():
        keys = [k for k, v in members[0].items() if isinstance(v, int | float) and k != "picture"]
        means = {k: sum(float(m[k]) for m in members) / len(members) for k in keys}
        values = torch.tensor([m["psnr"] for m in members], dtype=torch.float64)
        half = math.nan
        if len(values) > 1:
            half = float(t.ppf(0.975, len(values) - 1) * values.std() / math.sqrt(len(values)))
        made.append({"condition": condition, "method": method, "n": len(members), "psnr_ci": half, **means})
    return made


def beside(result: dict[str, Any], path: Path) -> dict[str, Any]:
    """``result`` with the methods of an earlier one in columns before its own; what both have is taken from ``result``.

    Raises:
        UsageError: not such a file, or one of other pictures, steps, conditions or another generator.
    """
    try:
        earlier = json.loads(path.read_text("utf-8"))
        same = all(earlier[k] == result[k] for k in ("table", "generator"))
        here, there = ({k: v for k, v in r["protocol"].items() if k != "methods"} for r in (result, earlier))
        cells = [{s["condition"] for s in r["summary"]} for r in (result, earlier)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no such table: {error}") from error
    if not same or here != there or cells[0] != cells[1]:
        raise UsageError(
            f"{path} was measured otherwise: expected the protocol {here}, got {there}",
            hint="the same --data, --generator, --count, --steps, --seed, --rates and --only",
        )
    methods = result["protocol"]["methods"]
    kept = [s for s in earlier["summary"] if s["method"] not in methods]
    both = {k: v for k, v in earlier["protocol"]["methods"].items() if k not in methods} | methods
    return {
        **result,
        "protocol": {**result["protocol"], "methods": both},
        "summary": kept + result["summary"],
        "beside": [*earlier.get("beside", []), earlier["environment"]],
    }


def markdown(result: dict[str, Any]) -> str:
    """PSNR by method and condition, the perturbed codes beside it, and what every number was made with."""
    summary, p = result["summary"], result["protocol"]
    conditions = list(dict.fromkeys(s["condition"] for s in summary))
    methods = list(dict.fromkeys(s["method"] for s in summary))
    by = {(s["condition"], s["method"]): s for s in summary}

    def table(key: str, best: bool = True) -> str:
        if len(conditions) > 2 * len(methods):  # long rather than wide
            turned = [{"condition": c, **{m: by[c, m][key] for m in methods}} for c in conditions]
            return markdown_table(
                turned, [Column("condition", "condition"), *(Column(m, m, 2) for m in methods)]
            )
        rows = [{"method": m, **{c: by[c, m][key] for c in conditions}} for m in methods]
        columns = [Column("method", "method")] + [
            Column(c, c, 2, "high" if best else None) for c in conditions
        ]
        return markdown_table(rows, columns)

    facts = [
        {
            "method": m,
            **{
                k: by[conditions[0], m][k]
                for k in ("freedom", "seconds", "image_std", "psnr_min", "code_norm")
            },
        }
        for m in methods
    ]
    about = markdown_table(
        facts,
        [
            Column("method", "method"),
            Column("freedom", "free numbers per pixel value", 2),
            Column("seconds", "s per picture", 2),
            Column("psnr_min", "worst of 16 draws, dB", 2),
            Column("image_std", "spread over draws", 4),
            Column("code_norm", "mean square of whitened codes", 2),
        ],
    )
    budget = f"{p['steps']} steps" if p["steps"] else f"{p['seconds_per_cell']:g} s a cell"
    e = result["environment"]
    head = (
        f"PSNR in dB, mean of {p['pictures']} pictures of {p['resolution']} px, {budget} for every method, seed "
        f"{p['seed']}. Generator {str(result.get('generator'))[:12]}. {e['processor']}, torch {e['torch']}, "
        f"{e['date'][:10]}.\n"
    )
    chosen = ", ".join(f"`{v}`" for v in p["methods"].values())
    return "\n".join(
        [
            f"# Inversion: {result['table']}\n",
            head,
            table("psnr"),
            "Half-width of the 95 % interval:\n",
            table("psnr_ci", best=False),
            "After noise of 0.1 standard deviations of W on the codes:\n",
            table("psnr_shaken_0.1"),
            "After 0.3:\n",
            table("psnr_shaken_0.3"),
            "Residual |A x - y| / |y|:\n",
            table("residual", best=False),
            f"In the first column's condition ({conditions[0]}):\n",
            about,
            f"As run: {chosen}.\n",
        ]
    )
