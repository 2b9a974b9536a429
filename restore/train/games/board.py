"""Everything that changes while several networks are trained, and its checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.train.checkpoint import read_checkpoint, write_checkpoint
from restore.train.state import follow


@dataclass
class Board:
    """Players, their optimisers and averages, the last scores, and what the turns carry along."""

    nets: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averages: dict[str, nn.Module]
    rates: dict[str, float]
    carried: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    def set_rate(self, factor: float) -> None:
        """Every player's own learning rate times ``factor``."""
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rates[name] * factor

    def update_averages(self, decay: float, step: int) -> None:
        """Moves the averages towards the weights."""
        for name, average in self.averages.items():
            follow(average, self.nets[name], decay=decay, step=step)


def set_up(
    nets: Mapping[str, nn.Module],
    *,
    device: torch.device,
    lr: float | Mapping[str, float],
    betas: tuple[float, float] = (0.5, 0.999),
    weight_decay: float = 0.0,
    averaged: Sequence[str] = ("generator",),
) -> Board:
    """The players on their device with Adam for each; ``lr`` is one for all or one for each."""
    placed = {
        name: net.to(device).to(memory_format=torch.channels_last).train() for name, net in nets.items()
    }
    rates = {name: lr[name] if isinstance(lr, Mapping) else lr for name in nets}
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.Adam(net.parameters(), lr=rates[name], betas=betas, weight_decay=weight_decay)
        for name, net in placed.items()
    }
    averages = {name: copy.deepcopy(placed[name]).requires_grad_(False) for name in averaged}
    return Board(placed, optimizers, averages, rates)


def save_board(path: Path, board: Board, step: int) -> None:
    """Writes a checkpoint; see :func:`restore.train.checkpoint.write_checkpoint`."""
    content = {
        "step": step,
        "nets": {name: net.state_dict() for name, net in board.nets.items()},
        "optimizers": {name: o.state_dict() for name, o in board.optimizers.items()},
        "averages": {name: net.state_dict() for name, net in board.averages.items()},
        "carried": board.carried,
        "scores": board.scores,
    }
    write_checkpoint(path, content)


def load_board(path: Path, board: Board, device: torch.device) -> int:
    """Fills ``board`` and returns the number of steps done; see :func:`restore.train.checkpoint.read_checkpoint`."""

    def fill(content: dict[str, Any]) -> None:
        for name, net in board.nets.items():
            net.load_state_dict(content["nets"][name])
            board.optimizers[name].load_state_dict(content["optimizers"][name])
        for name, net in board.averages.items():
            net.load_state_dict(content["averages"][name])
        board.carried.update(content["carried"])
        board.scores = dict(content["scores"])

    return read_checkpoint(path, device, fill)
