"""The point spread function that recorded parameters stand for."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.convolve import convolve
from restore.degradations.blur import psfs
from restore.degradations.local_blur import line_psf
from restore.degradations.params import Params
from restore.degradations.trace import elementary


def psf_trace(params: Params, *, reach: int) -> Tensor:
    """``B x 1 x (2 reach + 1) x (2 reach + 1)``: what the blurs among the steps make of one bright pixel together.

    Args:
        params: of a degradation, a pipeline or a mixture; other steps, and those without strength, leave a point.
        reach: pixels; light beyond it is left out, and the rest scaled to a sum of 1.
    """
    made = torch.zeros((len(params), 1, 2 * reach + 1, 2 * reach + 1))
    made[..., reach, reach] = 1
    for i in range(len(params)):
        for one in elementary(params.select(slice(i, i + 1))):
            if one.name in ("blur", "defocus", "motion", "line-blur") and float(one.strength) > 0:
                made[i : i + 1] = convolve(made[i : i + 1], _within(_psf(one), reach))
    return made.clamp_(min=0) / made.sum((2, 3), keepdim=True)


def _psf(params: Params) -> Tensor:
    if params.name == "line-blur":
        return line_psf(float(params.values["length"]), float(params.values["angle"]))
    return psfs(params)[0]


def _within(psf: Tensor, reach: int) -> Tensor:
    rows, columns = (max(n // 2 - reach, 0) for n in psf.shape)
    return psf[rows : psf.shape[0] - rows, columns : psf.shape[1] - columns]
