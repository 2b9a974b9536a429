"""A judgement as one self-contained page: clauses, tables, plots, and pictures to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restore.downstream.hallucination import made_up
from restore.downstream.plots import plots
from restore.downstream.result import (
    CELL_COLUMNS,
    CLAUSE_COLUMNS,
    JudgeResult,
    clause_rows,
    flat_cells,
    headline,
)
from restore.report import Column, Comparison, Table, html_page

GATE_COLUMNS = (
    Column("corruption", "corruption"),
    Column("none", "never", 3),
    Column("restore", "always", 3),
    Column("average", "average", 3),
    Column("gate", "gate", 3),
    Column("regret", "against the better", 4),
    Column("regret_low", "at least", 4),
    Column("left_out", "never seen", 3),
    Column("left_out_regret", "against the better", 4),
    Column("left_out_regret_low", "at least", 4),
)
DETECTOR_COLUMNS = (
    Column("detector", "detector"),
    Column("clean_auroc", "AUROC clean", 3),
    Column("none", "degraded", 3),
    Column("restore", "restored", 3),
    Column("flag_none", "familiar flagged", 3),
    Column("flag_restore", "once restored", 3),
    Column("laundering", "laundering", 4),
    Column("upper", "at most", 4),
)


def judge_page(result: JudgeResult) -> str:
    """The page as text.

    Raises:
        UsageError: matplotlib is not installed.
    """
    about = result.about
    n = about["data"]["n"]
    notes = [
        f"{v['restorer']}: {v['decision']}, decided by {v['worst_classifier']} ({headline(v)})."
        for v in result.verdicts
    ]
    notes.append(
        f"{n['test']} test pictures of {about['data']['name']}; {n['tune']} to tune on, {n['certify']} to certify on, "
        f"{n['fit']} in the fit part. Profile {about['run']['profile']}, degraded at {about['data']['degrade_at']}, "
        f"seed {result.settings.seed}. Foreign pictures are the positive class of AUROC. {about['data']['note']}"
    )
    notes += [f"{b['restorer']} before {b['classifier']}. {made_up(b)}" for b in result.blocks]
    tables, figures = [], []
    for b in result.blocks:
        name = f"{b['restorer']} before {b['classifier']}"
        tables += [
            Table(
                f"{name}: {b['verdict'].decision}", clause_rows(b["verdict"]), CLAUSE_COLUMNS, group="policy"
            ),
            Table(f"{name}: cells", flat_cells(b), CELL_COLUMNS, folded=len(b["cells"]) > 30),
        ]
        if "gate" in b:
            tables.append(
                Table(f"{name}: the gate, severities pooled", b["gate"]["corruptions"], GATE_COLUMNS)
            )
        tables.append(Table(f"{name}: familiar or foreign?", _detectors(b), DETECTOR_COLUMNS))
        figures += [(f"{name}. {caption}", uri) for caption, uri in plots(b)]
    return html_page(
        "Should it stand before the classifier?",
        notes=notes,
        facts=about["run"]["environment"],
        tables=tables,
        plots=figures,
        comparisons=[Comparison(entry.title, entry.views, entry.note) for entry in result.looks],
    )


def _detectors(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, found in block["ood"].items():
        cells = found["cells"]
        mean = {
            (arm, key): sum(c[arm][key] for c in cells) / len(cells)
            for arm in ("none", "restore")
            for key in ("auroc", "flag")
        }
        launder = found["laundering"]["restore"]
        rows.append(
            {
                "detector": name,
                "clean_auroc": found["clean_auroc"],
                "none": mean["none", "auroc"],
                "restore": mean["restore", "auroc"],
                "flag_none": mean["none", "flag"],
                "flag_restore": mean["restore", "flag"],
                "laundering": launder["value"],
                "upper": launder["upper"],
            }
        )
    return rows
