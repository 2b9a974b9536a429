"""What restoring costs: milliseconds a picture, warm, one at a time and in a batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.downstream.restoring import Restoring


def latency(restorer: Restoring, pictures: Sequence[Tensor], *, warm: int = 2) -> dict[str, Any]:
    """Median and 95 % quantile at batch 1, and per picture of one batch where all have one shape.

    Args:
        pictures: ``1 x C x H x W`` each; the first ``warm`` are run before the clock starts.
    """
    for x in pictures[:warm]:
        restorer(x)
    single = [_milliseconds(restorer, x) for x in pictures]
    found: dict[str, Any] = {
        "ms_p50": float(np.median(single)),
        "ms_p95": float(np.quantile(single, 0.95)),
        "parameters": restorer.parameters,
    }
    if len({p.shape for p in pictures}) == 1:
        together = torch.cat(list(pictures))
        found["ms_batched"] = _milliseconds(restorer, together) / len(together)
        found["batch"] = len(together)
    return found


def _milliseconds(restorer: Restoring, x: Tensor) -> float:
    start = time.perf_counter()
    restorer(x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)
