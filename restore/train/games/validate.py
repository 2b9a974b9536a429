"""What a game's network does to held-out pictures: scores, a sample sheet, and the averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore.files import atomic_file
from restore.image import tensor_to_array
from restore.metrics.exposure import burnt_share, colour_cast, mean_luma
from restore.models.weights import save_weights
from restore.report import contact_sheet
from restore.runtime import autocast
from restore.train.games.config import GameConfig
from restore.train.games.data import Held
from restore.train.games.health import validation_alarms


def game_validation(
    config: GameConfig,
    held: Sequence[Held],
    out: Path,
    device: torch.device,
    precision: str,
    header: Callable[[int, dict[str, float]], dict[str, Any]],
    report: Callable[[str], None],
) -> Callable[[Mapping[str, nn.Module], int], dict[str, float]]:
    """``validate(averages, step)`` writes ``averaged.safetensors`` and ``samples/step-N.png`` and gives scores.

    Scores are means over the held-out pictures: luma before and after, share of newly burnt-out pixels, movement
    of the mean colour (Lab units), and PSNR in dB before and after where the truth is known. They choose nothing:
    the weights are always the latest average.
    """

    def validate(averages: Mapping[str, nn.Module], step: int) -> dict[str, float]:
        net = averages["generator"]
        rows: list[dict[str, float]] = []
        sheet = []
        for i, (x, truth) in enumerate(held):
            with torch.inference_mode(), autocast(device, precision):
                y = net(x.contiguous(memory_format=torch.channels_last)).float().clamp(0, 1)
            rows.append(_scores(x, y, truth))
            if i < config.sheets:
                views = [
                    (x, "input"),
                    (y, f"step {step}"),
                    *([(truth, "truth")] if truth is not None else []),
                ]
                sheet.append([(tensor_to_array(v.clamp(0, 1), np.uint8), text) for v, text in views])
        scores = {key: sum(row[key] for row in rows) / len(rows) for key in (rows[0] if rows else {})}
        if sheet:
            path = out / "samples" / f"step-{step:06d}.png"
            path.parent.mkdir(exist_ok=True)
            with atomic_file(path) as file:
                contact_sheet(sheet).save(file, "PNG")
        save_weights(
            out / "averaged.safetensors", net.state_dict(), header(step, scores), dtype=torch.float32
        )
        if config.task == "enlighten":
            for alarm in validation_alarms(scores):
                report(f"step {step}: alarm: {alarm}")
        return scores

    return validate


def _scores(x: Tensor, y: Tensor, truth: Tensor | None) -> dict[str, float]:
    scores = {
        "luma_in": float(mean_luma(x)),
        "luma_out": float(mean_luma(y)),
        "burnt": float((burnt_share(y) - burnt_share(x)).clamp(min=0)),
        "cast": float(colour_cast(y, x)),
    }
    if truth is not None:
        scores |= {"psnr_in": _psnr(x, truth), "psnr": _psnr(y, truth)}
    return scores


def _psnr(x: Tensor, y: Tensor) -> float:
    return -10 * math.log10(max(float((x.clamp(0, 1) - y).square().mean()), 1e-10))
