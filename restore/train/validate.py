"""Scores of a network on pictures held out from training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from restore.data.crops import centre_crop
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.runtime import autocast
from restore.train.config import Config
from restore.train.paired import drawn_conditions

Pair = tuple[Tensor, Tensor, Tensor]


def held_out_pairs(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device
) -> dict[str, list[Pair]]:
    """Per validation degradation the (clean, degraded, conditions) of every picture's middle; always the same."""
    pairs: dict[str, list[Pair]] = {}
    if pictures and pictures[0].shape[2] == 6:
        halves = [centre_crop(p, config.validation_crop).to(device).split(3, 1) for p in pictures]
        return {"pairs": [(clean, degraded, torch.zeros(1, 0)) for clean, degraded in halves]}
    for spec in config.validation or config.degradation:
        simulate = degradation([p.strip() for p in spec.split("+")])
        pairs[spec] = []
        for i, picture in enumerate(pictures):
            clean = centre_crop(picture, config.validation_crop).to(device, memory_format=torch.channels_last)
            degraded, params = simulate(clean, generator=draw.generator(draw.child_seed(0, spec, i)))
            conditions = drawn_conditions(simulate, params, config.conditions).to(device)
            pairs[spec].append((clean, degraded, conditions))
    return pairs


def psnr_validation(
    config: Config, pairs: dict[str, list[Pair]], device: torch.device, precision: str
) -> Callable[[nn.Module], dict[str, float]]:
    """``validate(net)``: mean PSNR per degradation in dB, RGB, output clamped; "score" is their mean."""

    def validate(net: nn.Module) -> dict[str, float]:
        scores = {}
        with torch.inference_mode(), autocast(device, precision):
            for spec, triples in pairs.items():
                values = []
                for clean, degraded, conditions in triples:
                    restored = net(degraded, conditions) if config.conditions else net(degraded)
                    mse = float((restored.float().clamp(0, 1) - clean).square().mean())
                    values.append(-10 * math.log10(max(mse, 1e-10)))
                scores[spec] = sum(values) / len(values)
        return {**scores, "score": sum(scores.values()) / len(scores)}

    return validate


def estimate_validation(
    config: Config, pairs: dict[str, list[Pair]], device: torch.device, precision: str
) -> Callable[[nn.Module], dict[str, float]]:
    """``validate(net)``: mean absolute error of the estimate per degradation, in units of 255.

    "score" is minus their mean.
    """

    def validate(net: nn.Module) -> dict[str, float]:
        scores = {}
        with torch.inference_mode(), autocast(device, precision):
            for spec, triples in pairs.items():
                errors = [float((net(y).float() - c[:, 0]).abs().mean()) * 255 for _, y, c in triples]
                scores[spec] = sum(errors) / len(errors)
        return {**scores, "score": -sum(scores.values()) / len(scores)}

    return validate
