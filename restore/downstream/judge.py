"""The whole protocol: pictures through every arm, gates fitted, clauses weighed, one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restore.downstream.attacks.block import attack_block, smoothing_block
from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.confidence.block import ece_change, measures, pooled, risk_coverage
from restore.downstream.confidence.label_free import label_free
from restore.downstream.cost import latency
from restore.downstream.gallery import Look, laundered, look, most_changed
from restore.downstream.gate.arm import apply_gate, fit_gate, gate_curve, gate_table, leave_one_out
from restore.downstream.gate.rule import GateRule
from restore.downstream.hallucination import confident_errors, phantoms
from restore.downstream.labelled import Labelled, Splits, split
from restore.downstream.labelled.foreign import photograph_pieces
from restore.downstream.labelled.load import load_labelled
from restore.downstream.ood.choose import fit_detectors
from restore.downstream.ood.laundering import detector_block, score
from restore.downstream.ood.logit_scores import LOGIT_SCORES
from restore.downstream.outcomes import Outcomes, gather_outcomes
from restore.downstream.parts import Parts
from restore.downstream.passes import Passes
from restore.downstream.restoring import Restoring, load_restoring
from restore.downstream.result import JudgeResult
from restore.downstream.rows import per_picture_rows
from restore.downstream.settings import Settings
from restore.downstream.statistics.bootstrap import resample_counts
from restore.downstream.statistics.paired import holm
from restore.downstream.statistics.power import pictures_needed
from restore.downstream.suite import CLEAN_CELL, Cell, suite
from restore.downstream.utility import aggregate, cell_rows, confusion, corruption_errors, quality
from restore.downstream.verdict import Evidence, check_waived, decide
from restore.errors import UsageError, unknown

Progress = Callable[[int, int, str], None]


def judge(
    restorers: Sequence[str | tuple[str, Callable[..., Any]]],
    classifiers: Sequence[Classifier],
    data: Labelled,
    settings: Settings,
    *,
    adapted: Classifier | None = None,
    work: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    progress: Progress = lambda done, total, what: None,
) -> JudgeResult:
    """Should these restorers stand before these classifiers?

    Args:
        restorers: names, chains ``a + b``, ``module:function``, or (name, function).
        classifiers: each gives a verdict; the worst one is the restorer's.
        data: labelled pictures that none of them has seen.
        adapted: a classifier made for the degraded pictures (trained on them), which looks at them as they are: the
            arm that asks whether training beats restoring. It is not judged itself.
        work: a folder for finished parts. The same call goes on where it was stopped, and makes every number of a
            finished run again from what is kept there.

    Raises:
        UsageError: unknown names, data whose labels the classifiers do not have, too few pictures.
    """
    if not restorers or not classifiers:
        raise UsageError("expected at least one restorer and one classifier")
    _check_labels(data, classifiers)
    check_waived(settings.waived)
    if settings.detector not in (*LOGIT_SCORES, *settings.detectors):
        raise unknown("detector", settings.detector, [*LOGIT_SCORES, *settings.detectors])
    cells = suite(settings.corruptions, settings.severities)
    loaded = [load_restoring(r, device=device, precision=precision) for r in restorers]
    cheap = [load_restoring(c) for c in settings.cheap if c not in {r.name for r in loaded}]
    if len({r.name for r in loaded}) < len(loaded):
        raise UsageError("a restorer is named twice")
    every = [*classifiers, *([adapted] if adapted is not None else [])]
    splits = make_splits(data, every, settings)
    foreign = _foreign(data, settings)
    about = {
        "data": [data.name, len(data)], "judged": splits.judged, "foreign": [foreign.name, len(foreign)],
        "seed": settings.seed, "at": settings.degrade_at, "classifiers": [c.fingerprint for c in every],
        "fit": splits.fit if settings.detectors else [], "detectors": settings.detectors,
    }  # fmt: skip
    run = _Run(data, foreign, cells, splits, Parts(work, about), every, loaded, cheap, settings, progress)
    run.judged = len(classifiers)
    return run.result()


def make_splits(data: Labelled, classifiers: Sequence[Classifier], settings: Settings) -> Splits:
    """Disjoint parts; pictures that a classifier was trained on can only be in fit."""
    seen = {i for c in classifiers for i in c.trained_on(data)}
    sizes: dict[str, int | float] = {
        "tune": settings.tune, "certify": settings.certify, "fit": settings.fit, "test": settings.test,
    }  # fmt: skip
    free = len(data) - len(seen)
    whole = {k: int(v * free) if isinstance(v, float) and v < 1 else int(v) for k, v in sizes.items()}
    if not whole["test"]:
        whole["test"] = free - whole["tune"] - whole["certify"] - whole["fit"]
    whole["fit"] += len(seen)
    return split(data, whole, seed=settings.seed, fixed=dict.fromkeys(sorted(seen), "fit"))


def _check_labels(data: Labelled, classifiers: Sequence[Classifier]) -> None:
    for c in classifiers:
        if c.classes and data.labels.max() >= len(c.classes):
            raise UsageError(
                f"{data.name} has class {data.labels.max()}, {c.name} knows {len(c.classes)} classes",
                hint="is this the classifier of this data?",
            )


def _foreign(data: Labelled, settings: Settings) -> Labelled:
    if settings.foreign:
        return load_labelled(settings.foreign)
    first = data.read(0)
    return photograph_pieces(
        side=min(first.shape[-2:]), channels=first.shape[0], count=settings.foreign_count,
        window=max(96, min(first.shape[-2:])),
    )  # fmt: skip


class _Run:
    """One judgement: what its steps share."""

    def __init__(
        self,
        data: Labelled,
        foreign: Labelled,
        cells: Sequence[Cell],
        splits: Splits,
        parts: Parts,
        classifiers: Sequence[Classifier],
        restorers: Sequence[Restoring],
        cheap: Sequence[Restoring],
        settings: Settings,
        progress: Progress,
    ) -> None:
        self.data, self.foreign, self.cells, self.splits = data, foreign, list(cells), splits
        self.judged = len(classifiers)  # fewer where the last one is the adapted arm
        self.classifiers, self.restorers, self.cheap = list(classifiers), list(restorers), list(cheap)
        self.settings = settings
        every = [*self.restorers, *self.cheap]
        self.done, self.total = 0, (len(self.cells) + 1) * (2 + len(every) + len(self.restorers))
        self.progress = progress
        scores = (
            fit_detectors(self.classifiers, data, splits, settings.detectors) if settings.detectors else None
        )
        common: dict[str, Any] = {
            "seed": settings.seed, "degrade_at": settings.degrade_at, "batch": settings.batch, "tell": self._tell,
            "scores": scores,
        }  # fmt: skip
        self.passes = Passes(classifiers, every, parts, **common)
        self.foreign_passes = Passes(classifiers, restorers, parts, measures=False, **common)
        self.index = splits.judged
        places = {i: part for part in ("tune", "certify", "test") for i in getattr(splits, part)}
        self.part = np.array([places[i] for i in self.index])
        self.labels = data.labels[self.index]
        self.sources = np.array([data.source(i) for i in self.index])

    def _tell(self, what: str) -> None:
        self.done += 1
        self.progress(self.done, self.total, what)

    def result(self) -> JudgeResult:
        self.clean = self.passes.cell(self.data, self.index, CLEAN_CELL)
        self.by_cell = {c.key: self.passes.cell(self.data, self.index, c) for c in self.cells}
        out = range(len(self.foreign))
        self.foreign_clean = self.foreign_passes.cell(self.foreign, out, CLEAN_CELL)
        self.foreign_by_cell = {c.key: self.foreign_passes.cell(self.foreign, out, c) for c in self.cells}
        self.counts = resample_counts(
            self.sources[self.part == "test"], resamples=self.settings.resamples, seed=self.settings.seed
        )
        blocks = [self._block(k, restorer) for k in range(self.judged) for restorer in self.restorers]
        # One family: every cell of every restorer before every classifier, always restoring and gated.
        for kind in ("cells", "gate_cells"):
            rows = [row for b in blocks for row in b.get(kind, ())]
            for row, p in zip(rows, holm([r["mcnemar_p"] for r in rows]), strict=True):
                row["holm_p"] = p
        for block in blocks:
            self._decide(block)
        looks = [entry for b in blocks for entry in self._looks(b)] if self.settings.gallery else []
        return JudgeResult.build(
            blocks, data=self.data, foreign=self.foreign, splits=self.splits, classifiers=self.classifiers,
            restorers=self.restorers, settings=self.settings, looks=looks,
        )  # fmt: skip

    def _looks(self, block: dict[str, Any]) -> list[Look]:
        """The pictures of the gallery, made again from their seeds."""
        names = [c.name for c in self.classifiers]
        k = names.index(block["classifier"])
        restorer = next(r for r in self.restorers if r.name == block["restorer"])
        common: dict[str, Any] = {
            "restorer": restorer, "classifier": self.classifiers[k], "seed": self.settings.seed,
            "cut": self.classifiers[0].fit_picture if self.settings.degrade_at == "input" else lambda x: x,
        }  # fmt: skip
        found = []
        for kind, places in most_changed(block["outcomes"].only("test"), count=self.settings.gallery).items():
            for i, j in places:
                found.append(look(kind, self.data, self.splits.test[i], self.cells[j], **common))
        threshold = block["ood"][self.settings.detector]["threshold"]
        left = self.settings.gallery
        for cell in self.cells:
            before, after = (
                score(self.foreign_by_cell[cell.key][arm], k, self.settings.detector)
                for arm in ("none", restorer.name)
            )
            for i in laundered(before, after, threshold, count=min(4, left)):
                found.append(look("laundered", self.foreign, i, cell, known=False, **common))
                left -= 1
        return found

    def _outcomes(self, k: int, name: str) -> Outcomes:
        return gather_outcomes(
            self.cells, self.by_cell, self.clean, classifier=k, restorer=name,
            labels=self.labels, sources=self.sources, part=self.part,
        )  # fmt: skip

    def _block(self, k: int, restorer: Restoring) -> dict[str, Any]:
        s = self.settings
        outcomes = self._outcomes(k, restorer.name)
        block: dict[str, Any] = {"classifier": self.classifiers[k].name, "restorer": restorer.name}
        if self.cheap:
            block["baseline"] = self._cheapest(k, outcomes)
        if self.judged < len(self.classifiers):
            other = self._outcomes(self.judged, restorer.name)
            outcomes.add("adapted", other.log_p["none"], other.clean["none"])
        rule, left_out = None, None
        if s.gate and (self.part == "tune").sum() >= 20:
            table = gate_table(outcomes, self.by_cell, self.clean, classifier=k, restorer=restorer.name)
            rule = fit_gate(table, budget=s.limits.harm_budget, delta=1 - s.limits.confidence, seed=s.seed)
            outcomes.add("gate", *apply_gate(table, rule))
            left_out = leave_one_out(
                table, budget=s.limits.harm_budget, delta=1 - s.limits.confidence, seed=s.seed
            )
        test, tune = outcomes.only("test"), outcomes.only("tune")
        block["cells"] = cell_rows(test, self.counts)
        keep = self.part == "test"
        seen, block["rank_correlation"] = quality(
            self.cells, self.by_cell, restorer=restorer.name, keep=keep,
            gains=[row["d_acc"] for row in block["cells"]],
        )  # fmt: skip
        for j, row in enumerate(block["cells"]):
            row |= seen[j]
            row["calibration"] = {
                arm: measures(test.log_p[arm][:, j], test.labels, draws=s.null_draws, seed=s.seed)
                for arm in ("none", "restore")
            }
        block["total"] = aggregate(test, self.counts)
        block["corruption_error"] = corruption_errors(
            block["cells"], imagenet=len(self.classifiers[k].classes) == 1000
        )
        block["confidence"] = {
            arm: pooled(test, tune, arm, draws=s.null_draws, seed=s.seed)
            for arm in test.log_p
            if arm not in ("baseline", "adapted")
        }
        block["ece_change"] = {
            arm: ece_change(test, self.counts, arm, draws=s.null_draws, seed=s.seed)
            for arm in ("restore", "gate")
            if arm in test.log_p
        }
        block["latency"] = latency(restorer, [self._picture(i) for i in self.splits.test[:12]])
        if rule is not None:
            assert left_out is not None
            gate = outcomes.only("test")
            gate.log_p = {"none": test.log_p["none"], "restore": test.log_p["gate"]}
            gate.clean = {"none": test.clean["none"], "restore": test.clean["gate"]}
            block["gate_cells"] = cell_rows(gate, self.counts)
            block["gate"] = self._gate_summary(rule, test, left_out[keep])
            block["gate"]["curve"] = gate_curve(table, rule)
            block["rule"] = rule
        block["ood"] = self._ood(k, restorer, rule)
        block["risk_coverage"] = {
            arm: risk_coverage(test, arm) for arm in ("none", "restore", "gate") if arm in test.log_p
        }
        block["confusion"] = confusion(test) if len(self.data.classes) <= 20 else None
        block["label_free"] = label_free(test, tune) if len(tune.labels) else None
        for j, row in enumerate(block["cells"]):
            row["hallucination"] = confident_errors(test, j)
        first = self._picture(self.splits.test[0])
        block["phantom"] = phantoms(
            self.classifiers[k], restorer, side=min(first.shape[-2:]), channels=first.shape[1], seed=s.seed
        )
        if s.attacks:
            block["adversarial"] = self._attacks(k, restorer)
        block["rows"] = per_picture_rows(outcomes, [self.data.ids[i] for i in self.index])
        block["outcomes"] = outcomes
        return block

    def _attacks(self, k: int, restorer: Restoring) -> dict[str, Any]:
        chosen = self.splits.test[: self.settings.attacks]
        x = torch.cat([self.classifiers[k].fit_picture(self.data.read(i)[None]) for i in chosen])
        labels = torch.from_numpy(self.data.labels[chosen])
        found = attack_block(self.classifiers[k], restorer.module(), x, labels, seed=self.settings.seed)
        chain = lambda y: self.classifiers[k](restorer(y))  # noqa: E731
        found["smoothing"] = smoothing_block(
            chain, x[:10], labels[:10], n=self.settings.smoothing, seed=self.settings.seed
        )
        return found

    def _picture(self, i: int) -> Any:
        x = self.data.read(i)[None]
        return self.classifiers[0].fit_picture(x) if self.settings.degrade_at == "input" else x

    def _cheapest(self, k: int, outcomes: Outcomes) -> dict[str, Any]:
        """Adds the arm of the cheap filter that is best on the tune pictures."""
        tune, best, scores = self.part == "tune", None, {}
        for filter_ in self.cheap:
            other = self._outcomes(k, filter_.name)
            where = tune if tune.any() else np.ones_like(tune)
            scores[filter_.name] = float((other.right("restore")[where].mean(0) * other.weights).sum())
            if best is None or scores[filter_.name] > scores[best[0]]:
                best = (filter_.name, other)
        assert best is not None
        outcomes.add("baseline", best[1].log_p["restore"], best[1].clean["restore"])
        return {"name": best[0], "tune_accuracy": scores}

    def _gate_summary(self, rule: GateRule, test: Outcomes, left_out: np.ndarray) -> dict[str, Any]:
        """Per corruption, severities pooled: never, always, gate, and the gate that has never seen it."""
        rows: list[dict[str, Any]] = []
        kinds = [c.corruption for c in self.cells]
        unseen = left_out.argmax(2) == test.labels[:, None]
        for kind in dict.fromkeys(kinds):
            mine = [i for i, k in enumerate(kinds) if k == kind]
            acc = {
                arm: float(test.right(arm)[:, mine].mean()) for arm in ("none", "restore", "average", "gate")
            }
            left = float(unseen[:, mine].mean())
            better = max(acc["none"], acc["restore"])
            rows.append(
                {"corruption": kind, **acc, "left_out": left, "regret": acc["gate"] - better,
                 "left_out_regret": left - better}
            )  # fmt: skip
        return {
            "certificate": rule.certificate,
            "shift": rule.shift,
            "corruptions": rows,
            "worst_regret": min(r["regret"] for r in rows),
            "worst_left_out_regret": min(r["left_out_regret"] for r in rows),
        }

    def _ood(self, k: int, restorer: Restoring, rule: GateRule | None) -> dict[str, Any]:
        return detector_block(
            self.cells, self.by_cell, self.clean, self.foreign_by_cell, self.foreign_clean,
            classifier=k, restorer=restorer.name, part=self.part, rule=rule,
            resamples=self.settings.resamples, seed=self.settings.seed,
        )  # fmt: skip

    def _decide(self, block: dict[str, Any]) -> None:
        s = self.settings
        always = self._evidence(block, "restore", block["cells"])
        gate = self._evidence(block, "gate", block["gate_cells"]) if "gate_cells" in block else None
        block["verdict"] = decide(always, gate, s.limits, waived=s.waived)

    def _evidence(self, block: dict[str, Any], arm: str, rows: Sequence[dict[str, Any]]) -> Evidence:
        s, total = self.settings, block["total"][arm]
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
