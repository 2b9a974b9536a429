"""Another size, as the real-world pipelines make it: any factor, plain kernels that may alias."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from restore.degradations.base import Degradation
from restore.degradations.knob import Knob
from restore.degradations.params import Params
from restore.errors import UsageError
from restore.resample import imresize

MODES = ("area", "bilinear", "bicubic", "nearest", "smooth-bicubic", "smooth-bilinear", "lanczos3")


def resize(
    x: Tensor, *, seed: Tensor, factor: Tensor, height: Tensor, width: Tensor, mode: list[str]
) -> Tensor:
    """``max(1, floor(factor * side))`` for each side of the picture, or of the size that is given.

    Args:
        factor: B factors, all the same.
        height, width: B sides the factor refers to, all the same; 0: the picture's own.
        mode: "area" (mean over the footprint), and without antialias "nearest", "bilinear" and "bicubic"
            (a = -0.75, as torch and OpenCV have it); with antialias "smooth-bilinear", "smooth-bicubic"
            (a = -0.5, MATLAB's) and "lanczos3".

    Raises:
        UsageError: samples of one batch that ask for different sizes.
    """
    wanted = set(zip(factor.tolist(), height.tolist(), width.tolist(), mode, strict=True))
    if len(wanted) != 1:
        raise UsageError(
            f"resize: expected one size and mode for the batch, got {len(wanted)} different",
            hint="apply the samples one at a time",
        )
    f, rows, columns, how = wanted.pop()
    size = (_side(x.shape[-2], rows, f), _side(x.shape[-1], columns, f))
    if size == tuple(x.shape[-2:]):
        return x.clone()
    if how == "lanczos3" or how.startswith("smooth-"):
        return imresize(x, size=size, kernel=how.removeprefix("smooth-"))
    corners = {"align_corners": False} if how in ("bilinear", "bicubic") else {}
    kind = torch.promote_types(x.dtype, torch.float32)
    # One sample at a time: what it becomes must not depend on the batch.
    made = [F.interpolate(part.to(kind), size=size, mode=how, **corners) for part in x.split(1)]
    return torch.cat(made).to(x.dtype)


def _side(own: int, given: float, factor: float) -> int:
    return max(int((given or own) * factor + 1e-9), 1)


def _resized(shape: tuple[int, ...], params: Params) -> tuple[int, ...]:
    if not bool((params.strength > 0).all()):
        return shape
    f, rows, columns = (float(params.values[k][0]) for k in ("factor", "height", "width"))
    return (*shape[:-2], _side(shape[-2], rows, f), _side(shape[-1], columns, f))


RESIZE = Degradation(
    "resize",
    resize,
    {
        # Real-ESRGAN, first stage. Severity: [ours].
        "factor": Knob(
            "factor of each side; one for the whole batch",
            span=(0.15, 1.5),
            legal=(0.01, 16.0),
            levels={224: (0.8, 0.65, 0.5, 0.4, 0.3)},
            shared=True,
        ),
        "height": Knob(
            "height the factor refers to, pixels; 0: the picture's own",
            legal=(0, 65535),
            default=0,
            whole=True,
            shared=True,
        ),
        "width": Knob(
            "width the factor refers to, pixels; 0: the picture's own",
            legal=(0, 65535),
            default=0,
            whole=True,
            shared=True,
        ),
        "mode": Knob(
            "how samples are weighted; smooth-* and lanczos3 with antialias, area always averages",
            choices=MODES,
            default="area|bilinear|bicubic",
            shared=True,
        ),
    },
    keeps_size=False,
    resized=_resized,
)
