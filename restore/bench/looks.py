"""Crops of some pictures, kept while the bench goes by, for a sheet and for a page."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from restore.image import tensor_to_array
from restore.report import Comparison, look_at
from restore.report.sheet import busiest_window

SIZE = 384


class Look:
    """The busiest part of one reference, and the same part of everything made from it."""

    def __init__(self, reference: Tensor, degraded: Tensor, scale: int) -> None:
        whole = tensor_to_array(reference, np.uint8)
        self.window = busiest_window(whole, SIZE)
        self.truth = whole[self.window].copy()
        self.views: list[tuple[str, np.ndarray]] = []
        if scale > 1:
            large = degraded.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
            self.add("input, pixels enlarged", large)

    def add(self, label: str, image: Tensor) -> None:
        """Keeps the window of ``image`` (8 bits; a copy, so that the picture can go)."""
        rows, columns = self.window
        self.views.append((label, tensor_to_array(image[..., rows, columns], np.uint8)))

    def comparison(self, title: str) -> Comparison:
        """The views for a page: input first, the truth last."""
        return look_at(title, [*self.views, ("truth", self.truth)])
