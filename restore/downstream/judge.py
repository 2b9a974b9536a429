"""The whole protocol: pictures through every arm, gates fitted, clauses weighed, one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.labelled import Labelled, Splits, split
from restore.downstream.labelled.foreign import photograph_pieces
from restore.downstream.labelled.load import load_labelled
from restore.downstream.ood.logit_scores import LOGIT_SCORES
from restore.downstream.parallel import check_jobs
from restore.downstream.parts import Parts
from restore.downstream.restoring import load_restoring
from restore.downstream.result import JudgeResult
from restore.downstream.settings import Settings
from restore.downstream.suite import suite
from restore.downstream.trial import Progress, Trial
from restore.downstream.verdict import check_waived
from restore.errors import UsageError, unknown
from restore.runtime import pick_device


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
    check_jobs(settings.jobs, pick_device(device))
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
        "arrays": 2,  # what a part holds; counted up when that changes
    }  # fmt: skip
    trial = Trial(data, foreign, cells, splits, Parts(work, about), every, loaded, cheap, settings, progress)
    trial.judged = len(classifiers)
    return trial.result()


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
