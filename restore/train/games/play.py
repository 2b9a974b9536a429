"""Alternating training of several networks, on one page. It knows no loss and no picture.

A game has players (networks, each with its optimiser) and turns. A turn says which players move and what they
minimise; the others stand still. A plain adversarial game has two turns, regularisers that are due only now and
then are turns with ``every``, and one turn alone is ordinary training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.data.prefetch import Prefetch
from restore.errors import TrainingError
from restore.runtime import autocast
from restore.train.games.board import Board, load_board, save_board
from restore.train.journal import Journal
from restore.train.processes import Processes


@dataclass
class Round:
    """What a turn sees of a step.

    Args:
        nets: the players by name.
        batch: what was made for this step.
        step: from 0.
        left: what an earlier turn of this step left for a later one (a detached output); emptied at every step.
        carried: numbers and tensors that live as long as the run and are part of its checkpoint.
    """

    nets: Mapping[str, nn.Module]
    batch: Any
    step: int
    left: dict[str, Any]
    carried: dict[str, Any]


Terms = tuple[dict[str, Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Turn:
    """One update.

    Args:
        moves: names of the players whose weights change.
        terms: gives (losses, notes) by name: the sum of the losses is minimised, notes are only written down.
        every: done at steps that are multiples of this.
    """

    moves: tuple[str, ...]
    terms: Callable[[Round], Terms]
    every: int = 1


@dataclass(frozen=True)
class Rules:
    """How a game is played.

    Args:
        rate: factor on every player's learning rate at a step.
        clip: largest norm of the gradient of one turn.
        averaged: players whose moving average is kept.
        ema: its decay per step; young averages move faster.
        watch: gives the alarms for the mean numbers of a log window; may keep counts in ``carried``.
    """

    steps: int
    rate: Callable[[int], float] = lambda step: 1.0
    clip: float = 10.0
    averaged: tuple[str, ...] = ("generator",)
    ema: float = 0.999
    log_every: int = 50
    validate_every: int = 1000
    watch: Callable[[Mapping[str, float], dict[str, Any]], Sequence[str]] = lambda numbers, carried: ()


@dataclass
class Outcome:
    """What a game gave: the averaged players, its last validation, what it cost, and every alarm with its step."""

    averaged: Mapping[str, nn.Module]
    scores: dict[str, float]
    seconds: float
    steps_per_second: float
    data_share: float
    alarms: list[tuple[int, str]] = field(default_factory=list)


def play(
    board: Board,
    turns: Sequence[Turn],
    make_batch: Callable[[int], Any],
    validate: Callable[[Mapping[str, nn.Module], int], dict[str, float]],
    rules: Rules,
    *,
    out: Path,
    device: torch.device,
    precision: str = "fp32",
    resume: bool = False,
    processes: Processes | None = None,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Plays ``rules.steps`` steps; with ``resume`` continues from ``out/last.pt``, bit for bit.

    Args:
        board: the players with their optimisers; see :func:`restore.train.games.board.set_up`.
        make_batch: ``make_batch(step)``, a function of the step alone, called ahead of time in a thread.
        validate: scores of the averaged players after so many steps; it also writes what is to be kept.
        processes: this process among those that share every batch; gradients are averaged over them.

    Raises:
        TrainingError: a loss or gradient that is not finite, naming turn and step; nothing to resume from.
    """
    processes = processes or Processes()
    start = load_board(out / "last.pt", board, device) if resume else 0
    batches = Prefetch(make_batch, start=start, stop=rules.steps)
    journal = Journal(out, steps=rules.steps, start=start, report=report, enabled=processes.is_main)
    outcome = Outcome(board.averages, dict(board.scores), 0.0, 0.0, 0.0)
    window = _Window()
    try:
        for step, batch in enumerate(batches, start):
            board.set_rate(rules.rate(step))
            seen = Round(board.nets, batch, step, {}, board.carried)
            for turn in turns:
                if step % turn.every == 0:
                    window.add(_take(turn, seen, board, rules, device, precision, processes))
            board.update_averages(rules.ema, step)
            done = step + 1
            validates = done % rules.validate_every == 0 or done == rules.steps
            if done % rules.log_every == 0 or validates:  # a checkpoint never falls into an open window
                numbers = window.close(processes)
                alarms = list(rules.watch(numbers, board.carried))
                outcome.alarms += [(done, alarm) for alarm in alarms]
                speed, share = (done - start) / journal.seconds, batches.waited / journal.seconds
                shown = "  ".join(f"{k} {v:.4g}" for k, v in numbers.items())
                journal.note(
                    done,
                    {**numbers, "steps_per_second": speed, "data_share": share},
                    f"{shown}  {speed:.2f} steps/s  data {share:.0%}  left {journal.left(done)}",
                )
                for alarm in alarms:
                    journal.alarm(done, alarm)
            if validates:
                if processes.is_main:
                    for net in board.averages.values():
                        net.eval()
                    board.scores = validate(board.averages, done)
                    scores = "  ".join(f"{k} {v:.4g}" for k, v in board.scores.items())
                    journal.note(done, {"validation": board.scores}, f"validation: {scores}")
                    save_board(out / "last.pt", board, done)
                outcome.scores = dict(board.scores)
    finally:
        batches.close()
        journal.close()
    outcome.seconds = journal.seconds
    outcome.steps_per_second = (rules.steps - start) / max(outcome.seconds, 1e-9)
    outcome.data_share = batches.waited / max(outcome.seconds, 1e-9)
    return outcome


def _take(
    turn: Turn,
    seen: Round,
    board: Board,
    rules: Rules,
    device: torch.device,
    precision: str,
    processes: Processes,
) -> dict[str, Tensor]:
    """One update of the players that move; gives every number of the turn."""
    moving = [board.nets[name] for name in turn.moves]
    with _only_moving(board.nets, turn.moves):
        with autocast(device, precision):
            losses, notes = turn.terms(seen)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        for name in turn.moves:
            board.optimizers[name].zero_grad(set_to_none=True)
        total.backward()
    processes.average_gradients(moving)
    norm = nn.utils.clip_grad_norm_([p for net in moving for p in net.parameters()], rules.clip)
    if not math.isfinite(float(processes.mean(total.detach()))) or not math.isfinite(float(norm)):
        named = ", ".join(f"{k} {float(v.detach()):g}" for k, v in losses.items())
        raise TrainingError(
            f"the turn of {' and '.join(turn.moves)} is not finite at step {seen.step + 1} "
            f"({named}, gradient norm {float(norm):g})",
            hint="a lower --set lr=..., or --set precision=fp32; the last checkpoint is unharmed",
        )
    for name in turn.moves:
        board.optimizers[name].step()
    return {k: v.detach().float() for k, v in (losses | notes).items()}


@contextmanager
def _only_moving(nets: Mapping[str, nn.Module], moves: Sequence[str]) -> Iterator[None]:
    """Players that stand still need no gradients: they cost less, and cannot pick any up."""
    still = [
        p for name, net in nets.items() if name not in moves for p in net.parameters() if p.requires_grad
    ]
    for parameter in still:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in still:
            parameter.requires_grad_(True)


class _Window:
    """Numbers since the last line of the log."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, numbers: Mapping[str, Tensor]) -> None:
        for name, value in numbers.items():
            self._values.setdefault(name, []).append(value)

    def close(self, processes: Processes) -> dict[str, float]:
        """Their means over the window and over processes; the window is empty afterwards."""
        means = {name: float(processes.mean(torch.stack(v).mean())) for name, v in self._values.items()}
        self._values.clear()
        return means
