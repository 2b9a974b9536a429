"""The steps of one trial: passes, blocks of numbers, verdicts, gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from restore.degradations import sample as draw
from restore.downstream.attacks.block import attack_block, smoothing_block
from restore.downstream.cheap import choose_cheap
from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.confidence.block import ece_change, measures, pooled, risk_coverage
from restore.downstream.confidence.label_free import label_free
from restore.downstream.cost import latency
from restore.downstream.evidence import add_verdict
from restore.downstream.gallery import Look, laundered, look, most_changed
from restore.downstream.gate.arm import apply_gate, fit_gate, gate_curve, gate_table, leave_one_out
from restore.downstream.gate.rule import GateRule
from restore.downstream.gate.summary import gate_summary
from restore.downstream.hallucination import closeness, confident_errors, flip_rate, phantoms
from restore.downstream.labelled import Labelled, Splits
from restore.downstream.ood.choose import fit_detectors
from restore.downstream.ood.laundering import detector_block, score
from restore.downstream.outcomes import Outcomes, gather_outcomes
from restore.downstream.parallel import Task, run_tasks
from restore.downstream.parts import Parts
from restore.downstream.passes import Passes
from restore.downstream.restoring import Restoring
from restore.downstream.result import JudgeResult
from restore.downstream.rows import per_picture_rows
from restore.downstream.settings import Settings
from restore.downstream.statistics.bootstrap import resample_counts
from restore.downstream.statistics.paired import holm
from restore.downstream.suite import CLEAN_CELL, Cell, degrade
from restore.downstream.utility import aggregate, cell_rows, confusion, corruption_errors, quality

Progress = Callable[[int, int, str], None]


class Trial:
    """One trial of restorers before classifiers: what its steps share. :meth:`result` does everything."""

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
        self.done = 0
        self.progress = progress
        scores = (
            fit_detectors(self.classifiers, data, splits, settings.detectors) if settings.detectors else None
        )
        common: dict[str, Any] = {
            "seed": settings.seed, "degrade_at": settings.degrade_at, "batch": settings.batch, "tell": self._tell,
        }  # fmt: skip
        self.passes = Passes(classifiers, restorers, parts, scores=scores, **common)
        self.foreign_passes = Passes(classifiers, restorers, parts, scores=scores, measures=False, **common)
        self.index = splits.judged
        self.chosen_on = splits.tune or self.index
        which = f"chosen-on-{draw.child_seed(0, *self.chosen_on):x}"
        self.cheap_passes = Passes(classifiers, cheap, parts, pictures=which, measures=False, **common)
        places = {i: part for part in ("tune", "certify", "test") for i in getattr(splits, part)}
        self.part = np.array([places[i] for i in self.index])
        self.labels = data.labels[self.index]
        self.sources = np.array([data.source(i) for i in self.index])

    def _tell(self, what: str) -> None:
        self.done += 1
        total = sum(p.steps([CLEAN_CELL, *self.cells]) for p in (self.passes, self.foreign_passes))
        total += self.cheap_passes.steps(self.cells) if self.cheap else 0
        self.progress(self.done, total, what)

    def result(self) -> JudgeResult:
        """Every picture through every arm, and what follows from it."""
        if self.cheap:
            self.baselines = choose_cheap(
                self.cheap_passes, self.data, self.chosen_on, self.cells,
                judged=self.judged, jobs=self.settings.jobs,
            )  # fmt: skip
            chosen = {b["name"] for b in self.baselines}
            self.passes.others = [c for c in self.cheap if c.name in chosen]
        every, out = [CLEAN_CELL, *self.cells], range(len(self.foreign))
        found = run_tasks(
            [Task(self.passes, self.data, self.index, c) for c in every]
            + [Task(self.foreign_passes, self.foreign, out, c) for c in every],
            jobs=self.settings.jobs,
        )
        self.clean, self.foreign_clean = found[0], found[len(every)]
        self.by_cell, self.foreign_by_cell = (
            {c.key: found[i] for i, c in enumerate(self.cells, start)} for start in (1, len(every) + 1)
        )
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
            add_verdict(block, self.settings)
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
            block["baseline"] = self.baselines[k]
            best = self._outcomes(k, self.baselines[k]["name"])
            outcomes.add("baseline", best.log_p["restore"], best.clean["restore"])
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
            block["gate"] = gate_summary(
                rule, test, left_out[keep], [c.corruption for c in self.cells], self.counts
            )
            block["gate"]["curve"] = gate_curve(table, rule)
            block["rule"] = rule
        block["ood"] = self._ood(k, restorer, rule)
        block["risk_coverage"] = {
            arm: risk_coverage(test, arm) for arm in ("none", "restore", "gate") if arm in test.log_p
        }
        block["confusion"] = confusion(test) if len(self.data.classes) <= 20 else None
        block["label_free"] = label_free(test, tune) if len(tune.labels) else None
        for j, (row, cell) in enumerate(zip(block["cells"], self.cells, strict=True)):
            row["hallucination"] = confident_errors(test, j) | closeness(
                self.by_cell[cell.key], classifier=k, restorer=restorer.name, keep=keep
            )
        first = self._picture(self.splits.test[0])
        block["phantom"] = phantoms(
            self.classifiers[k], restorer, side=min(first.shape[-2:]), channels=first.shape[1], seed=s.seed
        )
        block["draws"] = self._draws(k, restorer)
        if s.attacks:
            block["adversarial"] = self._attacks(k, restorer)
        block["rows"] = per_picture_rows(outcomes, [self.data.ids[i] for i in self.index])
        block["outcomes"] = outcomes
        return block

    def _draws(self, k: int, restorer: Restoring) -> dict[str, Any]:
        """Whether the restorer's own chance decides the class, on some pictures of the last cell."""
        cell, chosen = self.cells[-1], self.splits.test[:24]
        common: dict[str, Any] = {"seed": self.settings.seed, "dataset": self.data.name}
        rates = [
            flip_rate(
                self.classifiers[k], restorer, degrade(cell, self._picture(i), [self.data.ids[i]], **common)
            )
            for i in chosen
        ]
        return {"cell": cell.key, "n": len(rates), "flip_rate": float(np.mean(rates))}

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

    def _ood(self, k: int, restorer: Restoring, rule: GateRule | None) -> dict[str, Any]:
        return detector_block(
            self.cells, self.by_cell, self.clean, self.foreign_by_cell, self.foreign_clean,
            classifier=k, restorer=restorer.name, part=self.part, rule=rule,
            resamples=self.settings.resamples, seed=self.settings.seed,
        )  # fmt: skip
