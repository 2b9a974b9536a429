"""Anybody's weights behind the face of a restorer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.engines import Choice, choose
from restore.models.community import CommunityFace, CommunityNet, load_community
from restore.names import Value
from restore.restorers.base import Restorer
from restore.restorers.computed import Computed
from restore.restorers.spec import RestorerSpec
from restore.restorers.values import check_values
from restore.tiling import window_side

_TASKS = {"SR": "upscale", "FaceSR": "upscale", "Restoration": "restore"}


class CommunityRestorer(Restorer):
    """A community model of one or three channels.

    A picture with other channels than the model's goes through as well: grey as three equal channels, of which the
    mean comes back; colour through a grey model channel by channel.
    """

    def __init__(
        self,
        name: str,
        net: CommunityNet,
        face: CommunityFace,
        *,
        device: torch.device,
        choice: Choice,
        tile: int | None,
    ) -> None:
        spec = RestorerSpec(
            task=_TASKS.get(face.purpose, "restore"),
            kind="community",
            description=f"{face.architecture} weights of {Path(name).name}",
            scale=face.scale,
            radius=face.radius,
            multiple=face.multiple,
            precision=choice.precision,
            engine=choice.engine,
        )
        fingerprint = hashlib.sha256(
            f"{face.sha256} {choice.engine} {choice.precision}".encode()
        ).hexdigest()[:16]
        super().__init__(
            name, spec, fingerprint=fingerprint, device=device, tile=window_side(face.tiling, tile)
        )
        self.channels = face.channels
        self.choice = choice
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self._compute = Computed(
            self.net, choice, device, channels=face.channels, scale=face.scale, check=True
        )

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        batch, channels, height, width = x.shape
        fitting = x.expand(-1, 3, -1, -1) if self.channels == 3 else x.reshape(-1, 1, height, width)
        y = self._compute(fitting.contiguous(memory_format=torch.channels_last), exact=exact).float()
        if self.channels == 1:
            return y.reshape(batch, channels, *y.shape[-2:])
        return y if channels == 3 else y.mean(1, keepdim=True)


def load_community_restorer(
    name: str,
    *,
    device: torch.device,
    precision: str,
    engine: str,
    tile: int | None,
    values: dict[str, Value],
) -> CommunityRestorer:
    """A weight file of somebody else's as a restorer; ``auto`` precision is float32.

    Raises:
        UsageError: values, which such models take none of; ``spandrel`` missing; an unsafe precision.
        WeightsError: see :func:`restore.models.community.load_community`.
    """
    check_values(name, values, ())
    net, face = load_community(Path(name))
    # bf16 would round the picture itself: where these networks add it, only they know.
    wanted = "fp32" if precision == "auto" else precision
    return CommunityRestorer(
        name,
        net,
        face,
        device=device,
        choice=choose(
            engine,
            wanted,
            device=device,
            safe=face.precisions,
            splits=False,
        ),
        tile=tile,
    )
