"""Everything that changes while several networks are trained, and its checkpoint."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.errors import TrainingError


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

    @torch.no_grad()
    def update_averages(self, decay: float, step: int) -> None:
        """Moves the averages towards the weights; young ones move faster. Statistics of norms are taken over."""
        decay = min(decay, (step + 1) / (step + 10))
        for name, average in self.averages.items():
            net = self.nets[name]
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - decay)
            for ours, theirs in zip(average.buffers(), net.buffers(), strict=True):
                ours.copy_(theirs)


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
    """Writes a checkpoint; a killed run leaves the previous one whole."""
    content = {
        "step": step,
        "nets": {name: net.state_dict() for name, net in board.nets.items()},
        "optimizers": {name: o.state_dict() for name, o in board.optimizers.items()},
        "averages": {name: net.state_dict() for name, net in board.averages.items()},
        "carried": board.carried,
        "scores": board.scores,
    }
    temporary = path.with_name(f".{path.name}.partial")
    torch.save(content, temporary)
    os.replace(temporary, path)  # noqa: PTH105


def load_board(path: Path, board: Board, device: torch.device) -> int:
    """Fills ``board`` from a checkpoint and returns the number of steps done.

    Raises:
        TrainingError: no checkpoint, or one of another game.
    """
    if not path.exists():
        raise TrainingError(
            f"nothing to resume: {path} is not there", hint="leave --resume out to start anew"
        )
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        for name, net in board.nets.items():
            net.load_state_dict(content["nets"][name])
            board.optimizers[name].load_state_dict(content["optimizers"][name])
        for name, net in board.averages.items():
            net.load_state_dict(content["averages"][name])
    except (RuntimeError, ValueError, KeyError, EOFError) as error:
        raise TrainingError(f"the checkpoint {path} does not fit this recipe: {error}") from error
    board.carried.update(content["carried"])
    board.scores = dict(content["scores"])
    return int(content["step"])
