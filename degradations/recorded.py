"""What recorded parameters of a degradation stand for: y = A x + constant + noise; and the files they are in."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.degradations.blur import psfs
from restore.degradations.camera_shake import shake_operator
from restore.degradations.damage import LAYERS, masks
from restore.degradations.kernel_blur import kernel_psfs
from restore.degradations.operators import Operator, Shape, blur, downsample, identity, masking
from restore.degradations.params import Params
from restore.degradations.presets import replay
from restore.errors import RestoreError, UsageError
from restore.files.bounded import parse_json, read_text

# Noise and storage: what A x is observed through, no part of A.
OBSERVATION = (
    "noise", "awgn", "poisson-gaussian", "scaled-poisson", "channel-noise", "clip", "quantise", "jpeg", "webp",
    "avif",
)  # fmt: skip

# Of the picture that a record is about.
_MOST_VALUES = 1 << 34


def from_params(params: Params, shape: Shape) -> Operator:
    """The linear part of recorded degradations of pictures (C, H, W): blurs, down-sampling, masks, in order.

    Noise and codecs (``OBSERVATION``) are left out. What damage paints over the picture is left out too: of
    y = (1 - m) x + m c only (1 - m) x is linear. Down-sampling is without its rounding.

    Raises:
        RestoreError: a step that is not linear, a blended one, or samples of a combinator, which differ in kind.
    """
    made = identity(shape)
    for step in _steps(params):
        if step.name in OBSERVATION or not bool((step.strength > 0).any()):
            continue
        if not bool((step.strength == 1).all()):
            raise RestoreError(f"{step.name}: expected it in full strength, got a blend")
        op = _from_step(step, made.output_shape)
        made = op if made.name == "identity" else made.then(op)
    return made


def constant(params: Params, shape: Shape) -> Tensor:
    """What the result shows of something other than x, ``B x C' x H' x W'``: the steps without noise, of black.

    With damage this is what is painted over the picture; nothing else adds anything.
    """
    y = torch.zeros((len(params), *shape))
    for step in _steps(params):
        if step.name not in OBSERVATION:
            y = replay(step).apply(y, step)
    return y


def noise_sigma(params: Params, *, brightness: float = 0.5) -> float | None:
    """Standard deviation of the recorded noise of one picture in units of [0, 1]; None where it is not known.

    Poisson noise counts as what it is at ``brightness``. Noise before a blur counts in full, which is an upper bound.

    Args:
        brightness: mean value of the picture.
    """
    variance = 0.0
    for step in _steps(params):
        strength = float(step.strength[0])
        if step.name not in OBSERVATION or strength <= 0:
            continue
        if step.name in ("noise", "awgn"):
            variance += (strength * float(step.values["sigma"][0])) ** 2
        elif step.name == "poisson-gaussian":
            a, b = float(step.values["shot"][0]), float(step.values["read"][0])
            variance += strength**2 * (a * brightness + b)
        elif step.name not in ("clip", "quantise"):
            return None
    return math.sqrt(variance)


def read_records(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """A params file (JSON lines of ``{"file", "seed", "shape": [C, H, W], "params"}``) as records by ``file``.

    Raises:
        UsageError: a file that is not there or is no params file; names the line.
    """
    records = {}
    text = read_text(Path(path), error=UsageError, what="the parameters")
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        try:
            record = parse_json(line)
            check_record(record)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: no record of a degradation: {error}") from None
        records[record["file"]] = record
    return records


def check_record(record: Any) -> None:
    """Raises ValueError for what is no ``{"file", "shape": [C, H, W], "params"}``."""
    if not isinstance(record, dict) or not {"file", "shape", "params"} <= set(record):
        raise ValueError("expected file, shape and params")
    if not isinstance(record["file"], str) or not isinstance(record["params"], dict):
        raise ValueError("expected a path as file and a table as params")
    shape = record["shape"]
    whole = isinstance(shape, list) and len(shape) == 3 and all(type(n) is int for n in shape)
    if not whole or not min(shape) >= 1 or shape[0] > 4 or math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"expected a shape [channels, height, width], got {str(shape)[:60]}")


def check_params(params: Params) -> None:
    """Refuses recorded values that no degradation draws.

    Raises:
        RestoreError: an unknown degradation; values that are missing, of another kind or not legal.
    """
    for step in _steps(params):
        replay(step)


def size_before(params: Params, shape: Shape) -> Shape:
    """(C, H, W) of a picture that became one of ``shape``, reckoned from whole factors of down-sampling."""
    c, h, w = shape
    for step in _steps(params):
        if step.name == "downsample" and float(step.strength[0]) > 0:
            h, w = h * int(step.values["scale"][0]), w * int(step.values["scale"][0])
    return (c, h, w)


def _from_step(step: Params, shape: Shape) -> Operator:
    if step.name in ("blur", "defocus", "motion", "kernel-blur"):
        kernels = kernel_psfs(step) if step.name == "kernel-blur" else psfs(step)
        borders = set(step.values["border"])
        if len(borders) != 1:
            raise RestoreError(f"{step.name}: expected one border for the batch, got {sorted(borders)}")
        return blur(kernels if len(kernels) > 1 else kernels[0], shape, border=borders.pop())
    if step.name == "camera-shake":
        return shake_operator(step, shape)
    if step.name == "downsample":
        kernel = step.values["kernel"][0]
        return downsample(shape, scale=int(step.values["scale"][0]), kernel=kernel)
    if step.name in LAYERS:
        return masking(1 - masks(step, (len(step), *shape)), shape)
    raise RestoreError(
        f"{step.name} is not linear, or its operator is not known",
        hint="blur, defocus, motion, camera-shake, kernel-blur, downsample, mask and other damage are",
    )


def _steps(params: Params) -> list[Params]:
    """The elementary steps in order."""
    if params.steps:
        return [inner for step in params.steps for inner in _steps(step)]
    if "steps" not in params.values:
        return [params]
    if len(params) != 1:
        raise RestoreError(
            f"{params.name}: every sample went through something else", hint="params.select(slice(i, i + 1))"
        )
    return [Params.from_json([record]) for record in params.values["steps"][0]]
