"""Pictures through degradation, restorer and classifiers, a cell at a time; what comes out are arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.gate.features import picture_features
from restore.downstream.labelled import Labelled
from restore.downstream.parts import Arrays, Parts
from restore.downstream.restoring import Restoring
from restore.downstream.suite import Cell, degrade
from restore.metrics.psnr import psnr
from restore.metrics.ssim import ssim

NONE = "none"
PSNR_CAP = 100.0
Scores = Callable[[Classifier, Tensor, Tensor, Tensor], Mapping[str, Tensor]]


@dataclass
class Passes:
    """How pictures are run.

    Args:
        classifiers, restorers: every restorer stands before every classifier.
        parts: where results are kept.
        others: further restorers, of which only the classifiers' answers are wanted.
        pictures: which pictures these are, where one cell is run for several sets of them.
        seed: of the degradations.
        degrade_at: "input" cuts and resizes to the first classifier's input before degrading, as ImageNet-C was
            made; "native" degrades and restores the picture as it is.
        batch: pictures at once.
        measures: whether PSNR and SSIM are measured.
        closely: how many pictures of a cell are looked at closely (SSIM, likeness to the clean picture's features,
            contradiction): the means are known well before that, and a look costs more than a small classifier. NaN
            for the others.
        scores: extra per-picture scores (out-of-distribution detectors): ``scores(classifier, x, logits, features)``.
    """

    classifiers: Sequence[Classifier]
    restorers: Sequence[Restoring]
    parts: Parts
    others: Sequence[Restoring] = ()
    pictures: str = ""
    seed: int = 0
    degrade_at: str = "input"
    batch: int = 64
    measures: bool = True
    closely: int = 256
    scores: Scores | None = None
    tell: Callable[[str], None] = field(default=lambda text: None)

    def steps(self, cells: Sequence[Cell]) -> int:
        """How many (cell, arm) parts there are."""
        return len(cells) * (1 + len(self.restorers) + len(self.others))

    def cell(self, data: Labelled, index: Sequence[int], cell: Cell) -> dict[str, Arrays]:
        """Per arm ("none", then every restorer's and other's name) the arrays of the pictures ``index`` under ``cell``.

        Arrays: ``logits/K`` and ``alike/K`` (cosine of the features to those of the clean picture) per classifier K,
        ``kept/K`` (cosine of the features before and after restoring), ``psnr``, ``ssim``, ``stats``, and
        ``contradiction``: what is left between the degraded picture and the restored one degraded again in the same
        way, root mean square in grey levels. Only arms that are not kept are run.
        """
        every = [*self.restorers, *self.others]
        marks = {NONE: "", **{r.name: r.fingerprint for r in self.restorers}}
        marks |= {r.name: f"{r.fingerprint} answers" for r in self.others}  # they hold less
        place = "/".join(filter(None, (self.pictures, data.name, cell.key)))
        found: dict[str, Arrays] = {}
        for arm, mark in marks.items():
            held = self.parts.get(f"{place}/{arm}", mark)
            if held is not None:
                found[arm] = held
                self.tell(f"{data.name} {cell.key} {arm} (kept)")
        missing = [r for r in every if r.name not in found]
        if NONE in found and not missing:
            return found
        rows: dict[str, list[Arrays]] = {NONE: [], **{r.name: [] for r in missing}}
        for count, (numbers, x) in enumerate(data.batches(index, self.batch)):
            clean = self._cut(x)
            ids = [data.ids[i] for i in numbers]
            again = partial(degrade, cell, ids=ids, seed=self.seed, dataset=data.name)
            closely = self.measures and count * self.batch < self.closely
            wanted = self._hidden(clean) if closely else []
            batch = _Batch(clean, again(clean), again, wanted=wanted, closely=closely)
            plain = self._look(batch.degraded, batch)
            rows[NONE].append({k: v for k, v in plain.items() if not k.startswith("hidden/")})
            for restorer in missing:
                rows[restorer.name].append(self._restored(restorer, batch, plain))
        for arm, made in rows.items():
            if arm in found:
                continue
            arrays = {key: np.concatenate([m[key] for m in made]) for key in made[0]}
            self.parts.put(f"{place}/{arm}", arrays, marks[arm])
            found[arm] = arrays
            self.tell(f"{data.name} {cell.key} {arm}")
        return found

    def _cut(self, x: Tensor) -> Tensor:
        return self.classifiers[0].fit_picture(x) if self.degrade_at == "input" else x

    @torch.no_grad()
    def _hidden(self, x: Tensor) -> list[np.ndarray]:
        """Every classifier's features, once for all arms."""
        return [classifier.both(x)[1].float().numpy() for classifier in self.classifiers]

    def _restored(self, restorer: Restoring, batch: _Batch, plain: Arrays) -> Arrays:
        if restorer in self.others:
            batch = replace(batch, wanted=[], closely=False)
        made = self._look(restorer(batch.degraded), batch)
        for k in range(len(self.classifiers)):
            made[f"kept/{k}"] = _cosine(plain[f"hidden/{k}"], made.pop(f"hidden/{k}"))
        return made

    @torch.no_grad()
    def _look(self, z: Tensor, batch: _Batch) -> Arrays:
        """The arrays of pictures ``z``, restored from the degraded ones or these themselves."""
        found: Arrays = {}
        same = z.shape == batch.clean.shape
        unknown = np.full(len(z), np.nan, np.float32)
        for k, classifier in enumerate(self.classifiers):
            logits, hidden = classifier.both(z)
            found[f"logits/{k}"] = logits.float().numpy()
            found[f"hidden/{k}"] = hidden.float().numpy()
            found[f"alike/{k}"] = unknown
            if batch.wanted:
                found[f"alike/{k}"] = _cosine(batch.wanted[k], found[f"hidden/{k}"])
            if self.scores is not None:
                for name, score in self.scores(classifier, z, logits, hidden).items():
                    found[f"score/{k}/{name}"] = score.float().numpy()
        found["stats"] = picture_features(z, batch.degraded).numpy()
        found |= {"psnr": unknown, "ssim": unknown, "contradiction": unknown}
        if self.measures and same:
            found["psnr"] = psnr(z, batch.clean).clamp(max=PSNR_CAP).numpy()
            if batch.closely:
                found["ssim"] = ssim(z, batch.clean).numpy()
                left = (batch.again(z) - batch.degraded).flatten(1)
                found["contradiction"] = 255 * left.square().mean(1).sqrt().numpy()
        return found


@dataclass(frozen=True)
class _Batch:
    """Pictures of one cell: clean, degraded, and how (the same draw for whatever picture).

    ``wanted``: the clean pictures' features per classifier; none where nobody asks.
    """

    clean: Tensor
    degraded: Tensor
    again: Callable[[Tensor], Tensor]
    wanted: Sequence[np.ndarray]
    closely: bool


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return ((a * b).sum(1) / np.maximum(norms, 1e-12)).astype(np.float32)
