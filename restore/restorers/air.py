"""Air before the scene, asked of the survey that is a part of the shipped ``dehaze``: how much light it took."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from restore.models.medium import MediumNet
from restore.models.registry import load_shipped
from restore.restorers.second import SecondOpinion
from restore.tiling import Read

NETWORK = "dehaze"
# The mean share of light that was taken. Of 80 clean photographs none passes `alone` and 6 % pass `agreed`; of hazy
# ones 32 and 98 % do at severity 1, 98 and 100 % at severity 3: models/zoo/looker/opinions.md. So it decides; the
# first look by itself is too unsure of every fourth haze.
HAZY = SecondOpinion(alone=0.32, agreed=0.15, severity_3=0.41, decides=True)


@cache
def shipped_survey(device: torch.device) -> MediumNet:
    """The shipped network on a device."""
    net, _ = load_shipped(NETWORK)
    assert isinstance(net, MediumNet)
    return net.to(device)


@torch.no_grad()
def find_air(read: Read, height: int, width: int, *, device: torch.device) -> Tensor:
    """``B x planes x 16 x 16``: the share of its light that every part of the picture lost on its way."""
    net = shipped_survey(device)
    with torch.autocast(device.type, enabled=False):
        return 1 - net.surveyed(net.look(net.read_view(read, height, width)))
