"""What a checkpoint holds: weights, their moving average, the optimiser, the step, the best score."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.train.checkpoint import read_checkpoint, write_checkpoint
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

    def update_average(self, step: int) -> None:
        """Moves the average towards the weights."""
        follow(self.ema, self.net, decay=self.decay, step=step)


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, *, decay: float, step: int) -> None:
    """Moves an average of weights towards ``net`` after ``step`` (from 0); young averages move faster."""
    decay = min(decay, (step + 1) / (step + 10))
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(net.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
    for mine, its in zip(average.buffers(), net.buffers(), strict=True):
        mine.copy_(its)  # statistics of batch normalisation are averages already


def save_state(path: Path, state: State, step: int) -> None:
    """Writes a checkpoint; see :func:`restore.train.checkpoint.write_checkpoint`."""
    content = {
        "step": step,
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "best": state.best,
        "best_step": state.best_step,
    }
    write_checkpoint(path, content)


def load_state(path: Path, state: State, device: torch.device) -> int:
    """Fills ``state`` and returns the number of steps done; see :func:`restore.train.checkpoint.read_checkpoint`."""

    def fill(content: dict[str, Any]) -> None:
        state.net.load_state_dict(content["net"])
        state.ema.load_state_dict(content["ema"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.best, state.best_step = content["best"], content["best_step"]

    return read_checkpoint(path, device, fill)
