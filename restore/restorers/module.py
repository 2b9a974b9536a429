"""A restorer as a layer, in front of a classifier."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class WholeRestorer(Protocol):
    """What a layer asks of a restorer."""

    device: torch.device

    def restore_whole(self, x: Tensor, *, exact: bool = False) -> Tensor: ...


class RestorerModule(nn.Module):
    """A restorer in front of a classifier: ``nn.Sequential(restorer.as_module(), classifier)``.

    The weights are frozen; what is looked up in the whole picture (a noise level) is a constant for the gradient.
    """

    def __init__(self, restorer: WholeRestorer) -> None:
        super().__init__()
        self.restorer = restorer
        net = getattr(restorer, "net", None)
        if isinstance(net, nn.Module):
            self.net = net  # registered, so that .to(device) and state_dict see it

    def forward(self, x: Tensor) -> Tensor:
        restorer = self.restorer
        restorer.device = x.device
        return restorer.restore_whole(x)
