"""The training loop, on one page. It knows no loss and no picture: it is given a step and batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.data.prefetch import Prefetch
from restore.errors import TrainingError
from restore.runtime import autocast
from restore.train.config import Config
from restore.train.journal import Journal
from restore.train.state import State, load_state, save_state

Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Fit:
    """What a run gave: the averaged weights, the best validation score and where it was reached."""

    ema: nn.Module
    best: float
    best_step: int
    seconds: float
    data_share: float


def learning_rate(config: Config, step: int) -> float:
    """Linear warm-up, flat, then a cosine to zero over the last ``decay_share`` of the steps.

    Steps that train a first part alone have a warm-up and a flat rate of their own.
    """
    first = config.first_steps
    if step < first:
        return config.first_lr * min(1.0, (step + 1) / max(1, config.warmup))
    step, steps = step - first, config.steps - first
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    start = steps * (1 - config.decay_share)
    progress = max(0.0, (step - start) / max(1.0, steps - start))
    return config.lr * warm * 0.5 * (1 + math.cos(math.pi * progress))


def fit(
    net: nn.Module,
    step_loss: Callable[[nn.Module, Any, int], Tensor],
    make_batch: Callable[[int], Any],
    validate: Validate,
    config: Config,
    *,
    out: Path,
    device: torch.device,
    precision: str,
    resume: bool = False,
    wrap: Callable[[nn.Module], nn.Module] = lambda net: net,
    mean_over_processes: Callable[[Tensor], Tensor] = lambda loss: loss,
    is_main: bool = True,
    report: Callable[[str], None] = print,
    on_best: Callable[[nn.Module, int, dict[str, float]], None] = lambda net, step, scores: None,
    around: Callable[[Any], Any] = lambda step: step,
) -> Fit:
    """Trains ``net`` for ``config.steps`` steps; with ``resume`` continues from ``out/last.pt``, bit for bit.

    Args:
        step_loss: ``step_loss(net, batch, step)``, a scalar.
        make_batch: ``make_batch(step)``, called ahead of time in a thread.
        validate: scores of the averaged weights; ``scores["score"]`` decides what is best (higher is better).
        wrap, mean_over_processes, is_main: how several processes work together.
        on_best: called with the averaged weights whenever the score is the best so far.
        around: changes the step, e.g. adds to its loss (:func:`restore.train.guided.guided`).

    Raises:
        TrainingError: a loss that is not finite, naming the step; nothing to resume from.
    """
    net = net.to(device).to(memory_format=torch.channels_last).train()
    state = State(net, config)
    start = load_state(out / "last.pt", state, device) if resume else 0
    training = wrap(net)
    step_loss = around(step_loss)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    batches = Prefetch(make_batch, start=start, stop=config.steps)
    journal = Journal(out, steps=config.steps, start=start, report=report, enabled=is_main)
    last_time = time.perf_counter()
    score_name = "psnr" if config.step == "paired" else "score"
    running: list[Tensor] = []
    images = waited = 0.0
    try:
        for step, batch in enumerate(batches, start):
            lr = learning_rate(config, step)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            with autocast(device, precision):
                loss = step_loss(training, batch, step)
            state.optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(state.optimizer)
            norm = nn.utils.clip_grad_norm_(net.parameters(), config.clip)
            shared = mean_over_processes(loss.detach())
            if not math.isfinite(float(shared)) or (
                not scaler.is_enabled() and not math.isfinite(float(norm))
            ):
                raise TrainingError(
                    f"the loss is not finite at step {step + 1} "
                    f"(loss {float(shared):g}, gradient norm {float(norm):g})",
                    hint="a lower --set lr=..., or --set precision=fp32; the last checkpoint is unharmed",
                )
            scaler.step(state.optimizer)
            scaler.update()
            state.update_average(step)
            running.append(shared)
            images += len(next(iter(batch.values())))
            done = step + 1
            if done % config.log_every == 0 or done == config.steps:
                now = time.perf_counter()
                speed, share = images / (now - last_time), (batches.waited - waited) / (now - last_time)
                mean = float(torch.stack(running).mean())
                journal.note(
                    done,
                    {"loss": mean, "lr": lr, "images_per_second": speed, "data_share": share},
                    f"loss {mean:.5f}  best {score_name} {state.best:.3f}  lr {lr:.2e}  "
                    f"{speed:.0f} images/s  data {share:.0%}  left {journal.left(done)}",
                )
                running, images, waited, last_time = [], 0.0, batches.waited, now
            if done % config.validate_every == 0 or done == config.steps:
                paused = time.perf_counter()
                if is_main:
                    scores = validate(state.ema.eval())
                    shown = "  ".join(f"{k} {v:.3f}" for k, v in scores.items())
                    journal.note(done, {"validation": scores}, shown)
                    if scores["score"] > state.best:
                        state.best, state.best_step = scores["score"], done
                        on_best(state.ema, done, scores)
                    save_state(out / "last.pt", state, done)
                last_time += time.perf_counter() - paused
    finally:
        batches.close()
        journal.close()
    seconds = journal.seconds
    return Fit(state.ema, state.best, state.best_step, seconds, batches.waited / max(seconds, 1e-9))
