"""What a clean picture becomes beside its degraded one: the same size and tones, without the faults."""

from __future__ import annotations

from torch import Tensor

from restore.degradations.params import Params
from restore.degradations.presets import TABLE
from restore.degradations.trace import elementary

# What is no fault: a restorer should neither undo an editor's tones nor enlarge.
KEPT = ("tone-curve", "resize", "downsample")


def processed_truth(clean: Tensor, params: Params) -> Tensor:
    """One clean picture ``1 x C x H x W`` through the steps among recorded ones that change size and tones alone.

    Args:
        params: of one sample, of a degradation, a pipeline or a mixture.
    """
    y = clean.clone()
    for one in elementary(params):
        if one.name in KEPT and float(one.strength) > 0:
            y = TABLE[one.name].apply(y, one)
    return y
