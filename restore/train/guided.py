"""A second opinion in training: what the answer is worth to somebody behind the restorer, mixed with its pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.errors import UsageError, unknown

Step = Callable[[nn.Module, Any, int], Tensor]
Guide = Callable[[Tensor, Tensor], Tensor]
KINDS = ("features", "logits")


def task_guide(both: Callable[[Tensor], tuple[Tensor, Tensor]], *, on: str = "features") -> Guide:
    """``guide(restored, clean)``: how differently a frozen classifier sees the two; no label is needed.

    Args:
        both: pictures in [0, 1] to (logits, features); frozen, but gradients pass to the pictures.
        on: "features", the squared distance of the features over the clean ones' mean square; or "logits", the
            Kullback-Leibler divergence from the prediction on the clean picture.

    Raises:
        UsageError: another kind.
    """
    if on not in KINDS:
        raise unknown("kind of task loss", on, KINDS)

    def guide(restored: Tensor, clean: Tensor) -> Tensor:
        with torch.no_grad():
            logits, features = both(clean)
        seen_logits, seen_features = both(restored.clamp(0, 1))
        if on == "features":
            return (seen_features - features).square().mean() / features.square().mean().clamp(min=1e-8)
        target = logits.log_softmax(1)
        return F.kl_div(seen_logits.log_softmax(1), target, log_target=True, reduction="batchmean")

    return guide


def guided(guide: Guide, *, weight: float) -> Callable[[Step], Step]:
    """For ``train(..., around=...)``: adds ``weight * guide(restored, clean)`` to the loss of any paired step.

    The network is run once: its answer is taken where the step itself asks for it.

    Raises:
        UsageError: a weight that is not above 0.
    """
    if not weight > 0:
        raise UsageError(f"expected a weight above 0 for the task loss, got {weight}")

    def around(step: Step) -> Step:
        def both(net: nn.Module, batch: Any, number: int) -> Tensor:
            answers: list[Tensor] = []

            def keep(module: nn.Module, given: object, answer: Any) -> None:
                answers.append(answer if isinstance(answer, Tensor) else answer["picture"])

            handle = net.register_forward_hook(keep)
            try:
                loss = step(net, batch, number)
            finally:
                handle.remove()
            return loss + weight * guide(answers[-1].float(), batch["clean"])

        return both

    return around
