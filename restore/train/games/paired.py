"""DeblurGAN-v2's step: pairs, two critics that look at different scales, content and perceptual loss."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.errors import UsageError
from restore.losses.adversarial import (
    least_squares_critic,
    least_squares_generator,
    relativistic_critic,
    relativistic_generator,
)
from restore.losses.perceptual import perceptual
from restore.models.features import FeatureNet
from restore.train.games.config import GameConfig
from restore.train.games.play import Round, Terms, Turn
from restore.train.processes import Processes

# Targets of the relativistic scores, unlike EnlightenGAN's 0 and 1.
LOW, HIGH = -1.0, 1.0


def paired_game_turns(config: GameConfig, features: FeatureNet | None, processes: Processes) -> list[Turn]:
    """The generator first, then both critics; the inner means are those of the batch, as in the paper.

    Batches are those of :func:`restore.train.paired.batch_maker`: ``{"clean", "degraded"}``.
    """
    mean = processes.mean_with_gradient
    critics = [name for name in ("full", "patch") if config.weight(name) > 0]

    def generator(seen: Round) -> Terms:
        clean, degraded = seen.batch["clean"], seen.batch["degraded"]
        out = seen.nets["generator"](degraded).float()
        seen.left["out"] = out.detach()
        losses: dict[str, Tensor] = {}
        if config.weight("content") > 0:
            # Of values in [-1, 1], for which the published weights are.
            losses["content"] = config.weight("content") * (2 * (out - clean)).square().mean()
        if config.weight("perceptual") > 0 and features is not None:
            losses["perceptual"] = config.weight("perceptual") * perceptual(features, out, clean)
        for name in critics:
            fake = seen.nets[name](out).float()
            if config.relativistic:
                with torch.no_grad():
                    real = seen.nets[name](clean).float()
                term = relativistic_generator(real, fake, low=LOW, high=HIGH, mean=mean)
            else:
                term = least_squares_generator(fake)
            losses[name] = config.weight(name) * term
        if not losses:
            raise UsageError("every term of the generator's loss has weight 0")
        with torch.no_grad():
            mse = (out.clamp(0, 1) - clean).square().mean((1, 2, 3)).clamp(min=1e-10)
            contrast = out.std((2, 3)).mean() / clean.std((2, 3)).mean().clamp(min=1e-6)
        return losses, {"psnr": (-10 * torch.log10(mse)).mean(), "contrast": contrast}

    def critic(seen: Round) -> Terms:
        losses: dict[str, Tensor] = {}
        notes: dict[str, Tensor] = {}
        for name in critics:
            real = seen.nets[name](seen.batch["clean"]).float()
            fake = seen.nets[name](seen.left["out"]).float()
            if config.relativistic:
                losses[f"critic_{name}"] = relativistic_critic(real, fake, low=LOW, high=HIGH, mean=mean)
            else:
                losses[f"critic_{name}"] = least_squares_critic(real, fake)
            # Half the distance: scores lie 2 apart when the critic has won, as they lie 1 apart with targets 0 and 1.
            notes[f"margin_{name}"] = 0.5 * (real.mean() - fake.mean()).detach()
        return losses, notes

    turns = [Turn(("generator",), generator)]
    if critics:
        turns.append(Turn(tuple(critics), critic))
    return turns
