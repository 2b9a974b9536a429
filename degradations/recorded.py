"""The linear operator that recorded parameters of a degradation stand for."""

from __future__ import annotations

from restore.degradations.base import Params
from restore.degradations.blur import psfs
from restore.degradations.camera_shake import shake_operator
from restore.degradations.damage import LAYERS, masks
from restore.degradations.kernel_blur import kernel_psfs
from restore.degradations.operators import Operator, Shape, blur, downsample, identity, masking
from restore.errors import RestoreError

# Noise and storage: what A x is observed through, no part of A.
OBSERVATION = (
    "noise", "awgn", "poisson-gaussian", "scaled-poisson", "channel-noise", "clip", "quantise", "jpeg", "webp",
    "avif",
)  # fmt: skip


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
