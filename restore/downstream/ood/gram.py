"""Gram matrices: are the correlations between channels within what the predicted class has shown?"""

from __future__ import annotations

import torch
from torch import Tensor

from restore.downstream.classifiers.adapter import Classifier
from restore.downstream.ood.base import Bank, Detector

POWERS = tuple(range(1, 11))
_TINY = 1e-6


class Gram(Detector):
    """Deviations from the range of every class, summed over powers, normalised by layer (Sastry & Oore, ICML 2020).

    Per layer and power p the element-wise power ``F^p`` of the map (channels x places) gives
    ``G = signed p-th root of the row sums of F^p F^p'``. Bounds per (predicted class, layer, power, channel) come from
    nine tenths of every class; the held-out tenth gives each layer's mean deviation, by which it is divided.

    Args:
        powers: 1 to 10 in the paper.
        held_out: share of every class kept back for the normalisation.
    """

    name = "gram"
    paper = "Sastry & Oore, ICML 2020"

    def __init__(self, *, powers: tuple[int, ...] = POWERS, held_out: float = 0.1) -> None:
        self.powers, self.held_out = powers, held_out

    def fit(self, classifier: Classifier, bank: Bank) -> Gram:
        rows = self._all_rows(classifier, bank.pictures)
        kept = torch.zeros(len(bank.labels), dtype=torch.bool)
        for c in bank.labels.unique().tolist():
            (mine,) = torch.where(bank.labels == c)
            kept[mine[: max(1, round(len(mine) * self.held_out))]] = True
        self.low, self.high = [], []
        for layer in rows:
            low = torch.full((bank.classes, layer.shape[1]), float("inf"), dtype=torch.float64)
            high = -low
            for c in bank.labels.unique().tolist():
                of_class = layer[(bank.labels == c) & ~kept]
                if len(of_class):
                    low[c], high[c] = of_class.min(0).values, of_class.max(0).values
            # A class without pictures borrows the range of all of them.
            empty = ~torch.isfinite(low).all(1)
            low[empty], high[empty] = layer[~kept].min(0).values, layer[~kept].max(0).values
            self.low.append(low)
            self.high.append(high)
        self.scale = torch.ones(len(rows), dtype=torch.float64)
        predicted = bank.logits.argmax(1)
        deviations = self._deviations([r[kept] for r in rows], predicted[kept])
        self.scale = deviations.mean(0).clamp(min=_TINY)
        return self

    def score(self, classifier: Classifier, x: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        return (self._deviations(self._rows(classifier, x), logits.argmax(1)) / self.scale).sum(1)

    def _deviations(self, rows: list[Tensor], predicted: Tensor) -> Tensor:
        """``B x layers``."""
        found = []
        for g, low, high in zip(rows, self.low, self.high, strict=True):
            below, above = low[predicted], high[predicted]
            under = (below - g).clamp(min=0) / (below.abs() + _TINY)
            over = (g - above).clamp(min=0) / (above.abs() + _TINY)
            found.append((under + over).sum(1))
        return torch.stack(found, 1)

    @torch.no_grad()
    def _rows(self, classifier: Classifier, x: Tensor) -> list[Tensor]:
        """Per layer ``B x (powers * channels)``."""
        return [gram_rows(m, self.powers) for m in classifier.maps(x)]

    def _all_rows(self, classifier: Classifier, x: Tensor, batch: int = 64) -> list[Tensor]:
        parts = [self._rows(classifier, part) for part in x.split(batch)]
        return [torch.cat([p[i] for p in parts]) for i in range(len(parts[0]))]


def gram_rows(maps: Tensor, powers: tuple[int, ...]) -> Tensor:
    """``B x (powers * channels)``: signed p-th roots of the row sums of the Gram matrices of powers of a map."""
    flat = maps.double().flatten(2)
    found = []
    for p in powers:
        raised = flat**p
        total = (raised @ raised.transpose(1, 2)).sum(2)
        found.append(total.sign() * total.abs() ** (1 / p))
    return torch.cat(found, 1)
