"""Drops on the lens, asked of the finder that is a part of the shipped ``raindrop``: where they are."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from restore.models.heal import HealNet
from restore.models.registry import load_shipped
from restore.restorers.second import SecondOpinion

NETWORK = "raindrop"
# The first look takes what aliases for wet: pictures of a few hundred pixels that were shrunk by averages of squares or
# by four pixels. So it cannot decide. Which pictures pass here: models/zoo/looker/opinions.md.
WET = SecondOpinion(pixel=0.9, alone=0.033, agreed=0.033, severity_3=0.036, decides=True)


@cache
def shipped_finder(device: torch.device) -> torch.nn.Module:
    """The part of the shipped network that finds, on a device."""
    net, _ = load_shipped(NETWORK)
    assert isinstance(net, HealNet)
    return net.detect.to(device).to(memory_format=torch.channels_last)


@torch.no_grad()
def find_drops(windows: Tensor, *, device: torch.device) -> Tensor:
    """``B x 1 x h x w``: how likely every pixel of ``B x 3 x h x w`` is wet."""
    with torch.autocast(device.type, enabled=False):
        return torch.sigmoid(shipped_finder(device)(windows.to(device)))
