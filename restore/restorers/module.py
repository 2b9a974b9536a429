"""A restorer as a layer, in front of a classifier."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class WholeRestorer(Protocol):
    """What a layer asks of a restorer."""

    device: torch.device

    def restore_whole(self, x: Tensor, *, exact: bool = False) -> Tensor: ...


class RestorerModule(nn.Module):
    """A restorer in front of a classifier: ``nn.Sequential(restorer.as_module(), classifier)``.

    The weights are frozen; what is looked up in the whole picture (a noise level) is a constant for the gradient.
    They are shared with the restorer until the module is cast or moved, and its own from then on. A cast
    (``module.double()``) decides what is taken and given; inside a restorer chooses its arithmetic as it always does.
    """

    def __init__(self, restorer: WholeRestorer) -> None:
        super().__init__()
        self._own = False
        self._hold(restorer)

    def _hold(self, restorer: WholeRestorer) -> None:
        self.restorer = restorer
        net = getattr(restorer, "net", None)
        if isinstance(net, nn.Module):
            self.net = net  # registered, so that .to(device) and state_dict see it

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RestorerModule:
        if not self._own:  # a cast changes tensors in place, and those are the restorer's
            self._hold(copy.deepcopy(self.restorer))
            self._own = True
        return super()._apply(lambda tensor: _move(tensor, fn), recurse)

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            # What it does depends on the picture and on engines that no compiler can follow.
            restored: Tensor = torch.compiler.disable(self._restore)(x)
            return restored
        return self._restore(x)

    def _restore(self, x: Tensor) -> Tensor:
        restorer: Any = self.restorer
        if restorer.device != x.device:
            if not self._own:
                restorer = copy.copy(restorer)
            restorer.device = x.device
        # A trace is compared with another run of it, and keeps what was computed by torch alone.
        return restorer.restore_whole(x.float(), exact=torch.jit.is_tracing()).to(x.dtype)


def _move(tensor: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
    """Where ``fn`` puts a tensor, in the numbers that it had."""
    made = fn(tensor)
    return made if made.dtype == tensor.dtype else tensor.to(made.device)
