"""Scores of a network on pictures held out from training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from restore.data.crops import centre_crop
from restore.degradations import sample as draw
from restore.metrics import psnr, psnr_y
from restore.resample import imresize
from restore.runtime import autocast
from restore.train.conditions import drawn_conditions
from restore.train.config import Config
from restore.train.paired import beside
from restore.train.simulate import simulator

Pair = tuple[Tensor, Tensor, Tensor]


def held_out_pairs(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device
) -> dict[str, list[Pair]]:
    """Per validation degradation the (clean, degraded, conditions) of every picture's middle; always the same."""
    pairs: dict[str, list[Pair]] = {}
    if pictures and pictures[0].shape[2] == 6:
        halves = [centre_crop(p, config.validation_crop).to(device).split(3, 1) for p in pictures]
        return {"pairs": [(clean, degraded, torch.zeros(1, 0)) for clean, degraded in halves]}
    for item in config.validation or config.degradation:
        simulate, spec = simulator((item,)), str(item)
        pairs[spec] = []
        for i, picture in enumerate(pictures):
            whole = centre_crop(picture, config.validation_crop)
            height, width = (side - side % config.scale for side in whole.shape[-2:])
            clean = whole[..., :height, :width].to(device, memory_format=torch.channels_last)
            degraded, params = simulate(clean, generator=draw.generator(draw.child_seed(0, spec, i)))
            conditions = drawn_conditions(simulate, params, config.conditions).to(device)
            given = beside(config, degraded, params).get("degraded", degraded)
            pairs[spec].append((clean, given, conditions))
    return pairs


def psnr_validation(
    config: Config, pairs: dict[str, list[Pair]], device: torch.device, precision: str
) -> Callable[[nn.Module], dict[str, float]]:
    """``validate(net)``: mean PSNR per degradation in dB, output clamped, and what it is above the degraded picture.

    "score" is the mean over degradations, "gain" the mean of their gains; an enlargement starts from bicubic.
    """
    metric = psnr_y if config.validation_metric == "psnr_y" else psnr
    border = config.scale if config.scale > 1 else 0

    def decibels(y: Tensor, clean: Tensor) -> float:
        return min(float(metric(y.float().clamp(0, 1), clean, border=border)), 100.0)

    starts = {
        spec: [
            decibels(imresize(y, scale=config.scale) if config.scale > 1 else y[:, :3], clean)
            for clean, y, _ in triples
        ]
        for spec, triples in pairs.items()
    }

    def validate(net: nn.Module) -> dict[str, float]:
        scores, gains = {}, {}
        with torch.inference_mode():
            for spec, triples in pairs.items():
                values = []
                for clean, degraded, conditions in triples:
                    with autocast(device, precision):
                        restored = net(degraded, conditions) if config.conditions else net(degraded)
                    values.append(decibels(restored, clean))
                scores[spec] = sum(values) / len(values)
                gains[f"gain {spec}"] = scores[spec] - sum(starts[spec]) / len(values)
        return {
            **scores,
            **gains,
            "score": sum(scores.values()) / len(scores),
            "gain": sum(gains.values()) / len(gains),
        }

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
