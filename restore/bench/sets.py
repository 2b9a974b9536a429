"""Distances between the set of restored pictures and the set of true ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore.metrics.frechet import frechet_distance
from restore.metrics.kernel_distance import kernel_distance
from restore.models.features import feature_net, pooled

TRUTH = "truth"
SIDE = 224


class SetDistances:
    """Collects features while pictures go by; a number belongs to the features it was made with.

    Args:
        feature_id: see :func:`restore.models.features.feature_net`; the mean of its map over positions is used, of
            pictures resized to 224 x 224.

    Raises:
        UsageError, WeightsError: features that are not there.
    """

    def __init__(self, feature_id: str) -> None:
        self.net = feature_net(feature_id)
        self._seen: dict[tuple[str, str], list[np.ndarray]] = {}

    @property
    def protocol(self) -> str:
        """What belongs to the numbers."""
        return f"set distances: {self.net.feature_id}, mean of the map, pictures at {SIDE} x {SIDE} px"

    @torch.no_grad()
    def add(self, condition: str, label: str, x: Tensor) -> None:
        """Takes one picture ``1 x C x H x W`` of a model (or of the truth) under a condition."""
        features = pooled(self.net, x.cpu().float().clamp(0, 1).expand(-1, 3, -1, -1), side=SIDE)
        self._seen.setdefault((condition, label), []).append(features[0].numpy())

    def distances(self, condition: str, label: str) -> dict[str, float]:
        """``frechet`` and ``kernel`` (times 1000) between a model's pictures and the truth; NaN below two pictures."""
        ours, truth = (np.stack(self._seen.get((condition, k), [np.empty(0)])) for k in (label, TRUTH))
        if min(len(ours), len(truth)) < 2:
            return {"frechet": float("nan"), "kernel": float("nan")}
        return {"frechet": frechet_distance(ours, truth), "kernel": 1000 * kernel_distance(ours, truth)}
