"""``restore models``: what there is, what a model's card says, and whether its weights are intact."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from restore.errors import EXIT_SOME_FAILED, WeightsError
from restore.tools.output import emit_json, say

# What every shipped weight file says of itself.
CARRIED = ("architecture", "config", "licence", "training_data", "validation")


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show one; default: all.", show_default=False)
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the weights against their SHA-256.")
    ] = False,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="As JSON; - is stdout.", show_default=False)
    ] = None,
) -> None:
    """List the restorers, show the card of one, or verify the shipped weights."""
    from restore import restorers
    from restore.models.registry import SHIPPED

    if name is None:
        # Networks that restore nothing by themselves (estimators) are shipped and verified as well.
        wanted = [*restorers.names(), *(n for n in SHIPPED if n not in restorers.names() and verify)]
    else:
        wanted = [name]
    rows = [_row(n, verify, alone=name is not None) for n in wanted]
    if json != "-":
        sys.stdout.write(_table(rows) if name is None else _card(rows[0]))
    emit_json(rows if name is None else rows[0], json)
    wrong = [row for row in rows if row.get("problem")]
    for row in wrong:
        say(f"failed: {row['name']}: {row['problem']}", colour=31)
    if wrong:
        raise typer.Exit(EXIT_SOME_FAILED)


def _row(name: str, verify: bool, *, alone: bool) -> dict[str, Any]:
    from restore import restorers
    from restore.models.registry import SHIPPED, load_shipped

    if name in SHIPPED and name not in restorers.names():
        entry = SHIPPED[name]
        row: dict[str, Any] = {
            "name": name,
            "task": entry.task,
            "kind": "learned",
            "description": entry.description,
        }
    else:
        row = dict(restorers.describe(name))
    if name in SHIPPED:
        row["sha256"] = SHIPPED[name].sha256
    if alone and row["task"] != "estimate":
        row["takes"] = sorted(restorers.takes(name))
    if verify:
        row["verified"], row["problem"] = None, None
        if name in SHIPPED:
            try:
                _, header = load_shipped(name)
                missing = [key for key in CARRIED if not header.get(key)]
                row["verified"] = not missing
                row["problem"] = (
                    f"the weight file does not say its {' and '.join(missing)}" if missing else None
                )
            except WeightsError as error:
                row["verified"], row["problem"] = False, error.message
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    width = max((len(row["name"]) for row in rows), default=0)
    task = max((len(row["task"]) for row in rows), default=0)
    return "".join(
        f"{r['name']:<{width}}  {r['task']:<{task}}  {r['kind']:<9}  {_state(r)}{r['description']}\n"
        for r in rows
    )


def _card(row: dict[str, Any]) -> str:
    from restore.models.registry import ZOO

    card = ZOO / row["name"] / "card.md"
    if card.exists():
        text = card.read_text(encoding="utf-8").rstrip() + "\n"
    else:
        text = f"{row['name']}: {row['description']}\ntask: {row['task']}\nkind: {row['kind']}\n"
    if row.get("takes"):
        text += f"\nvalues it takes: {', '.join(row['takes'])}\n"
    if "sha256" in row:
        text += f"\nsha256: {row['sha256']}\n"
    return text + (f"weights: {_state(row).strip()}\n" if _state(row) else "")


def _state(row: dict[str, Any]) -> str:
    return {True: "verified  ", False: "DAMAGED   ", None: ""}[row.get("verified")]
