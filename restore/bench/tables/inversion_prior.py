"""The control of inversion tables that knows nothing of the generator: plug-and-play with the shipped denoiser."""

from __future__ import annotations

import math
import time
from typing import Any

from torch import Tensor

from restore.degradations.operators import Operator
from restore.inverse.gan.diagnostics import SHAKES
from restore.metrics import psnr, ssim
from restore.restorers import load

NAME = "pnp"


def prior_rows(x: Tensor, y: Tensor, operator: Operator, noise: float) -> list[dict[str, Any]]:
    """One row per picture, with the keys of :func:`restore.inverse.gan.diagnose`; NaN where those concern codes.

    Args:
        x: true pictures ``N x C x R x R`` in [0, 1].
        y: their measurements; ``noise``: its standard deviation in units of [0, 1].
    """
    began = time.perf_counter()
    solver: Any = load(NAME, operator=operator, sigma=255 * noise, device="cpu")
    solved = solver.solve(y)
    made = solved.image.clamp(0, 1)
    seconds = (time.perf_counter() - began) / len(x)
    residual = (operator(made) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1).clamp(min=1e-12)
    scores, similar = psnr(made, x).tolist(), ssim(made.double(), x.double()).tolist()
    nothing = dict.fromkeys(("w_std", "code_norm", *(f"psnr_shaken_{s:g}" for s in SHAKES)), math.nan)
    return [
        {
            "psnr": scores[i], "psnr_mean": scores[i], "psnr_min": scores[i], "image_std": 0.0, "freedom": 1.0,
            "residual": float(residual[i]), "steps": solved.iterations, "ssim": similar[i], "seconds": seconds,
            **nothing,
        }
        for i in range(len(x))
    ]  # fmt: skip
