"""Stores convolution kernels in 8 bits with a step per output channel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# What the steps of a kernel stored in 8 bits are called after it.
_STEP = ".step"


def to_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A kernel as integers of -127 to 127 and a float16 step per output channel, whose product it is."""
    flat = weight.detach().float().cpu().flatten(1)
    step = (flat.abs().amax(1) / 127).clamp(min=1e-7).half()
    integers = (flat / step.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
    return integers.view(weight.shape), step


def round_to_int8(weight: Tensor) -> Tensor:
    """What is left of a kernel when it is stored in 8 bits, in float32."""
    integers, step = to_int8(weight)
    return integers * step.float().view(-1, *[1] * (weight.ndim - 1))


def pack_int8(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """``state`` with the kernels (four axes) whose names begin with ``prefix`` as integers and steps."""
    packed: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(prefix) and value.ndim == 4:
            packed[key], packed[key + _STEP] = to_int8(value)
        else:
            packed[key] = value
    return packed


def unpack_int8(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`pack_int8`: every tensor as float32."""
    plain: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.endswith(_STEP) and key.removesuffix(_STEP) in state:
            continue
        step = state.get(key + _STEP)
        plain[key] = value.float()
        if step is not None:
            plain[key] *= step.float().view(-1, *[1] * (value.ndim - 1))
    return plain
