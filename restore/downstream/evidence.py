"""What the verdict weighs, taken from one block: a restorer before a classifier, always or behind its gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restore.downstream.settings import Settings
from restore.downstream.statistics.power import pictures_needed
from restore.downstream.verdict import Evidence, decide


def add_verdict(block: dict[str, Any], settings: Settings) -> None:
    """Adds ``block["verdict"]``; the block's cells carry ``holm_p`` by now."""
    always = gather_evidence(block, "restore", block["cells"], settings)
    gated = block.get("gate_cells")
    gate = gather_evidence(block, "gate", gated, settings) if gated is not None else None
    block["verdict"] = decide(always, gate, settings.limits, waived=settings.waived)


def gather_evidence(
    block: dict[str, Any], arm: str, rows: Sequence[dict[str, Any]], settings: Settings
) -> Evidence:
    """The evidence about one arm (``restore`` or ``gate``), whose cells are ``rows``."""
    s, total = settings, block["total"][arm]
    tax = total["clean_tax"]
    launder = block["ood"][s.detector]["laundering"].get(arm)
    change = block["ece_change"][arm]
    harmful = [
        f"{r['corruption']}" + (f"-{r['severity']:g}" if r["severity"] else "")
        for r in rows
        if r["holm_p"] <= s.limits.alpha and r["harmed"] > r["helped"]
    ]
    needed = {
        "utility": pictures_needed(total["per_picture"], margin=-s.limits.gain),
        "clean_tax": pictures_needed(total["per_picture_tax"], margin=s.limits.clean_tax),
    }
    if launder is not None:
        needed["laundering"] = pictures_needed(launder["per_picture"], margin=-s.limits.laundering)
    certificate = block["gate"]["certificate"] if arm == "gate" else {}
    return Evidence(
        gain=(total["d_acc"], *total["ci"]),
        tax=(tax["value"], *tax["ci"]),
        harmful_cells=harmful,
        laundering=None if launder is None else (launder["value"], launder["lower"], launder["upper"]),
        ece_change=(change["value"], *change["ci"]),
        latency_ms=block["latency"]["ms_p95"],
        harm_bound=certificate.get("upper"),
        needed=needed,
    )
