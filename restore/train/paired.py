"""Steps of paired training: what is done with a batch of degraded pictures and their clean originals."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from restore.losses import loss_named
from restore.train.batches import Batch, in_late_phase
from restore.train.config import Config


def paired_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)`` as the loss between restored and clean."""
    early = loss_named(config.loss)
    last = loss_named(config.late_loss) if config.late_loss else early

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        loss = last if in_late_phase(config, number) else early
        restored = (
            net(batch["degraded"], batch["conditions"]) if config.conditions else net(batch["degraded"])
        )
        return loss(restored.float(), batch["clean"])

    return step


def estimate_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)`` as the error of an estimated condition.

    The error is relative for strong degradations and absolute for weak ones: |e - s| / (s + 5/255).
    """

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        target = batch["conditions"][:, 0]
        return ((net(batch["degraded"]).float() - target).abs() / (target + 5 / 255)).mean()

    return step
