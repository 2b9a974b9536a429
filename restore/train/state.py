"""What a checkpoint holds: weights, their moving average, the optimiser, the step, the best score."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.errors import TrainingError
from restore.train.config import Config


class State:
    """Everything that changes while training; batches are functions of the step and need no state."""

    def __init__(self, net: nn.Module, config: Config) -> None:
        self.net = net
        self.ema = copy.deepcopy(net).requires_grad_(False)
        self.best, self.best_step = float("-inf"), 0
        self.decay = config.ema
        self.optimizer = torch.optim.AdamW(
            net.parameters(),
            lr=config.lr,
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
        )

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Moves the average towards the weights; young averages move faster."""
        decay = min(self.decay, (step + 1) / (step + 10))
        ours: list[Tensor] = list(self.ema.parameters())
        theirs: list[Tensor] = list(self.net.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, its in zip(self.ema.buffers(), self.net.buffers(), strict=True):
            mine.copy_(its)  # statistics of batch normalisation are averages already


def save_state(path: Path, state: State, step: int) -> None:
    """Writes a checkpoint; a killed run leaves the previous one whole."""
    content = {
        "step": step,
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "best": state.best,
        "best_step": state.best_step,
    }
    temporary = path.with_name(f".{path.name}.partial")
    torch.save(content, temporary)
    os.replace(temporary, path)  # noqa: PTH105


def load_state(path: Path, state: State, device: torch.device) -> int:
    """Fills ``state`` from a checkpoint and returns the number of steps done.

    Raises:
        TrainingError: no checkpoint, or one of another network.
    """
    if not path.exists():
        raise TrainingError(
            f"nothing to resume: {path} is not there", hint="leave --resume out to start anew"
        )
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        state.net.load_state_dict(content["net"])
        state.ema.load_state_dict(content["ema"])
        state.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError, KeyError, EOFError) as error:
        raise TrainingError(f"the checkpoint {path} does not fit this recipe: {error}") from error
    state.best, state.best_step = content["best"], content["best_step"]
    return int(content["step"])
