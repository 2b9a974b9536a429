"""The networks that SPHInX fits per picture, as tables of batched weights: a head for styles, one for content.

Sizes follow the published head at width 512 (512-256-128-32, then 32-64-128-512 per layer) and shrink with it.
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.inverse.gan.adam import Variables
from restore.inverse.gan.draws import Draws
from restore.models.stylegan2_layers import leaky

CONTENT_INPUTS, CONTENT_WIDTHS = 8, (32, 128)


def style_sizes(width: int) -> tuple[list[int], list[int]]:
    """Layer sizes of the shared encoder and of a layer's decoder for codes of ``width``."""
    narrow = max(16, width // 16)
    return [width, width // 2, width // 4, narrow], [narrow, 2 * narrow, 4 * narrow, width]


def style_head(width: int, layers: int, draws: Draws) -> Variables:
    """Fresh weights: uniform within 1 / sqrt(inputs), the usual start of a linear layer."""
    encoder, decoder = style_sizes(width)
    made: Variables = {}
    for i, (a, b) in enumerate(itertools.pairwise(encoder)):
        made[f"encoder{i}.weight"] = draws.uniform(a, b) / math.sqrt(a)
        made[f"encoder{i}.bias"] = draws.uniform(1, b) / math.sqrt(a)
    for i, (a, b) in enumerate(itertools.pairwise(decoder)):
        made[f"decoder{i}.weight"] = draws.uniform(layers, a, b) / math.sqrt(a)
        made[f"decoder{i}.bias"] = draws.uniform(layers, 1, b) / math.sqrt(a)
    return made


def styles(v: Variables, z: Tensor) -> Tensor:
    """``B x L x width`` normal codes to ``B x L x width`` codes w: one encoder, a decoder for every layer."""
    h = z
    for i in range(3):
        h = torch.baddbmm(v[f"encoder{i}.bias"], h, v[f"encoder{i}.weight"])
        h = F.relu(h) if i == 0 else h  # none between the last two
    h = h[:, :, None]
    for i in range(3):
        h = h @ v[f"decoder{i}.weight"] + v[f"decoder{i}.bias"]
        h = F.relu(h) if i < 2 else h
    return h[:, :, 0]


def content_head(channels: int, draws: Draws) -> Variables:
    """Fresh weights of three 1 x 1 convolutions with an equalised learning rate, N(0, 1)."""
    sizes = (CONTENT_INPUTS, *CONTENT_WIDTHS, channels)
    made: Variables = {}
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        made[f"content{i}.weight"] = draws.normal(b, a)
        if i < 2:
            made[f"content{i}.bias"] = torch.zeros(len(draws), b, 1, device=draws.device)
    return made


def content(v: Variables, c: Tensor) -> Tensor:
    """``B x 8 x 4 x 4`` to what takes the place of the generator's constant, ``B x C x 4 x 4``."""
    h = c.flatten(2)
    for i in range(3):
        weight = v[f"content{i}.weight"]
        h = (weight / math.sqrt(weight.shape[2])) @ h
        h = leaky(h + v[f"content{i}.bias"]) if i < 2 else h
    return h.unflatten(2, c.shape[2:])
