"""What a judgement found: as JSON with a versioned schema, as Markdown, against an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.gallery import Look, flat
from restore.downstream.hallucination import made_up
from restore.downstream.labelled import Labelled, Splits
from restore.downstream.restoring import Restoring
from restore.downstream.settings import Settings
from restore.downstream.verdict import ORDER, Verdict, meets, worst
from restore.errors import UsageError
from restore.files.bounded import parse_json, read_text
from restore.report import Column, markdown_table
from restore.report.environment import environment

SCHEMA_VERSION = "1.1"
INTERNAL = ("outcomes", "rule", "verdict", "rows")
CELL_COLUMNS = (
    Column("corruption", "corruption"),
    Column("severity", "severity"),
    Column("clean", "clean", 3),
    Column("none", "degraded", 3, "high"),
    Column("restore", "restored", 3, "high"),
    Column("average", "average", 3, "high"),
    Column("baseline", "cheap", 3, "high"),
    Column("gate", "gate", 3, "high"),
    Column("adapted", "adapted", 3, "high"),
    Column("helped", "helped", 0),
    Column("harmed", "harmed", 0),
    Column("holm_p", "Holm p", 4),
    Column("d_psnr", "PSNR gain", 2),
)
CLAUSE_COLUMNS = (
    Column("policy", "policy"),
    Column("name", "clause"),
    Column("status", "status"),
    Column("value", "value", 4),
    Column("bound", "bound", 4),
    Column("limit", "limit", 4),
    Column("needed", "pictures needed", 0),
    Column("says", "what is compared"),
)


@dataclass
class JudgeResult:
    """Everything found. ``blocks`` are one per (classifier, restorer); ``verdicts`` one per restorer."""

    about: dict[str, Any]
    blocks: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    settings: Settings
    looks: list[Look] = field(default_factory=list)

    @staticmethod
    def build(
        blocks: list[dict[str, Any]],
        *,
        data: Labelled,
        foreign: Labelled,
        splits: Splits,
        classifiers: Sequence[Classifier],
        restorers: Sequence[Restoring],
        settings: Settings,
        looks: Sequence[Look] = (),
    ) -> JudgeResult:
        """Puts the parts of a run together."""
        about = {
            "schema_version": SCHEMA_VERSION,
            "run": {
                "profile": settings.profile,
                "seeds": {"all": settings.seed},
                "settings": asdict(settings),
                "environment": environment(device="cpu"),
            },
            "data": {
                "name": data.name,
                "note": data.note,
                "classes": len(data.classes),
                "n": splits.sizes(),
                "degrade_at": settings.degrade_at,
                "ood": [{"name": foreign.name, "kind": foreign.note or "given", "n": len(foreign)}],
            },
            "classifiers": [
                {"name": c.name, "note": c.note, "params": sum(p.numel() for p in c.parameters()),
                 "fingerprint": c.fingerprint}
                for c in classifiers
            ],
            "restorers": [
                {"name": r.name, "fingerprint": r.fingerprint, "params": r.parameters} for r in restorers
            ],
        }  # fmt: skip
        verdicts = []
        for restorer in restorers:
            mine = [b for b in blocks if b["restorer"] == restorer.name]
            decision = worst([b["verdict"].decision for b in mine])
            at = next(b for b in mine if b["verdict"].decision == decision)
            found: Verdict = at["verdict"]
            verdicts.append(
                {"restorer": restorer.name, "worst_classifier": at["classifier"], **found.to_json()}
            )
        return JudgeResult(about, blocks, verdicts, settings, list(looks))

    def to_json(self) -> dict[str, Any]:
        """Plain values; see ``schema_version``. Undefined values are null with a reason beside them."""
        blocks = []
        for b in self.blocks:
            plain = {k: v for k, v in b.items() if k not in INTERNAL}
            plain["total"] = {
                arm: _without(v, ("per_picture", "per_picture_tax")) for arm, v in b["total"].items()
            }
            plain["ood"] = {
                name: d
                | {"laundering": {p: _without(v, ("per_picture",)) for p, v in d["laundering"].items()}}
                for name, d in b["ood"].items()
            }
            plain["verdict"] = b["verdict"].to_json()
            count = len(b["rows"]["label"])
            if count <= self.settings.rows:
                plain["rows"] = b["rows"]
            else:
                plain["rows"] = None
                plain["rows_reason"] = (
                    f"{count} rows are kept in the work folder (--work), as logits of every arm"
                )
            blocks.append(plain)
        return {**self.about, "blocks": blocks, "verdicts": self.verdicts, "gallery": flat(self.looks)}

    def markdown(self) -> str:
        """The verdict, its clauses and the cells as Markdown."""
        n = self.about["data"]["n"]
        lines = [
            f"# Should it stand before the classifier? {self.about['data']['name']}, "
            f"profile {self.about['run']['profile']}",
            "",
            f"{n['test']} test pictures ({n['tune']} tune, {n['certify']} certify, {n['fit']} fit); degraded at "
            f"{self.about['data']['degrade_at']}; seed {self.settings.seed}; schema {SCHEMA_VERSION}.",
        ]
        if self.about["data"]["note"]:
            lines += ["", self.about["data"]["note"]]
        for v in self.verdicts:
            lines += ["", f"**{v['restorer']}: {v['decision']}** ({headline(v)})"]
        for b in self.blocks:
            lines += ["", f"## {b['restorer']} before {b['classifier']}: {b['verdict'].decision}", ""]
            lines += [markdown_table(clause_rows(b["verdict"]), CLAUSE_COLUMNS)]
            lines += [markdown_table(flat_cells(b), CELL_COLUMNS)]
            if "gate" in b:
                c, gate = b["gate"]["certificate"], b["gate"]
                lines += [
                    f"Gate: {c['harmed']} of {c['n']} certification pictures harmed, at most {c['upper']:.4f} (budget "
                    f"{c['budget']:g}). Its worst corruption against the better of always and never: "
                    f"{gate['worst_regret']:+.4f} (no interval goes below {gate['worst_regret_low']:+.4f}); one that "
                    f"it has never seen: {gate['worst_left_out_regret']:+.4f} "
                    f"({gate['worst_left_out_regret_low']:+.4f}). "
                    f"All corruptions together: {gate['pooled_regret']:+.4f} (at least "
                    f"{gate['pooled_regret_low']:+.4f}); each unseen: {gate['pooled_left_out_regret']:+.4f} "
                    f"({gate['pooled_left_out_regret_low']:+.4f}).",
                    "",
                ]
            lines += [made_up(b), ""]
        made = self.about["run"]["environment"]
        lines += [
            f"restore {made['restore']} ({made['commit']}), torch {made['torch']}, {made['processor']}, {made['date']}."
        ]
        return "\n".join(lines) + "\n"

    def missed(self, require: str | None, against: Mapping[str, Any] | None) -> list[str]:
        """Why the exit code is 1: verdicts below what is required, or worse than earlier."""
        found = []
        for v in self.verdicts:
            if require is not None and not meets(v["decision"], require):
                found.append(f"{v['restorer']}: {v['decision']}, required {require.upper()}")
            if against is not None:
                before = {e["restorer"]: e["decision"] for e in against["verdicts"]}
                earlier = before.get(v["restorer"])
                if earlier is not None and ORDER.index(v["decision"]) > ORDER.index(earlier):
                    found.append(f"{v['restorer']}: {v['decision']}, was {earlier}")
        return found


def load_earlier(path: Path) -> dict[str, Any]:
    """A stored result to compare with.

    Raises:
        UsageError: missing, not a judgement, or of another major schema.
    """
    try:
        held = parse_json(read_text(path, error=UsageError, what="the judgement"))
        version = str(held["schema_version"])
        if not all(e["decision"] in ORDER for e in held["verdicts"]):
            raise ValueError("unknown decisions")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"cannot read the judgement {path}: {error}", hint="a file of --json") from None
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise UsageError(f"{path} has schema {version}, expected {SCHEMA_VERSION}")
    return held


def headline(verdict: Mapping[str, Any]) -> str:
    """Why, in a few words, and how many pictures would settle it."""
    text = str(verdict["reason"])
    if verdict["n_needed"] is not None:
        text += f"; about {verdict['n_needed']:,} test pictures would settle it"
    return text


def clause_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """The clauses of both policies as table rows."""
    policies = (("always", verdict.clauses), ("gate", verdict.gate_clauses))
    return [{"policy": name, **asdict(c)} for name, found in policies for c in found]


def flat_cells(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cells as flat table rows."""
    rows = []
    for c in block["cells"]:
        psnr = c["psnr"]
        both = None not in psnr.values()
        rows.append({**c, **c["acc"], "d_psnr": psnr["restore"] - psnr["none"] if both else None})
    return rows


def _without(held: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {k: v for k, v in held.items() if k not in keys}
