"""Training of a network that finds what lies on a picture: a map, whose target is the trace of what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from restore.data.crops import centre_crop
from restore.degradations import sample as draw
from restore.image import quantise
from restore.losses.mask import mask_loss
from restore.runtime import autocast
from restore.train.config import Config
from restore.train.fields import Batch
from restore.train.paired import beside
from restore.train.simulate import simulator

CLEAN = "clean"
# From this share of a pixel's own light on that was taken away it counts as covered, and from this answer on as found.
# What covers less is better left than filled.
_COVERED, _FOUND = 0.15, 0.5


def find_step(config: Config) -> Callable[[nn.Module, Batch, int], Tensor]:
    """``step(net, batch, number)``: :func:`restore.losses.mask.mask_loss` of the map.

    Pixels are covered or they are not: a stain that lets half of the light through is to be found as surely as a
    scratch that lets none.
    """

    def step(net: nn.Module, batch: Batch, number: int) -> Tensor:
        covered = (batch["mask"] > _COVERED).float()
        return mask_loss(net(batch["degraded"]).float(), covered)

    return step


def find_validation(
    config: Config, pictures: Sequence[np.ndarray], device: torch.device, precision: str
) -> Callable[[nn.Module], dict[str, float]]:
    """``validate(net)``: per degradation the mean overlap (intersection over union, percent) of found and covered.

    "clean" is the share of pixels, in percent, that are left alone in the pictures themselves; "score" the mean of
    the overlaps less ten times what is found in clean pictures.
    """
    shown: dict[str, list[tuple[Tensor, Tensor]]] = {CLEAN: []}
    for i, picture in enumerate(pictures):
        x = centre_crop(picture, config.validation_crop)
        shown[CLEAN].append((quantise(x), torch.zeros_like(x[:, :1])))
        for item in config.validation:
            degraded, params = simulator((item,))(
                x, generator=draw.generator(draw.child_seed(0, str(item), i))
            )
            pair = (quantise(degraded), beside(config, degraded, params)["mask"])
            shown.setdefault(str(item), []).append(pair)

    def validate(net: nn.Module) -> dict[str, float]:
        scores = {}
        with torch.inference_mode(), autocast(device, precision):
            for name, pairs in shown.items():
                shares = []
                for y, mask in pairs:
                    found, covered = net(y.to(device)).float().cpu().sigmoid() > _FOUND, mask > _COVERED
                    either = float((found | covered).float().mean())
                    both = float((found & covered).float().mean())
                    shares.append(1 - either if name == CLEAN else both / max(either, 1e-9))
                scores[name] = 100 * sum(shares) / len(shares)
        overlaps = [v for k, v in scores.items() if k != CLEAN]
        return {**scores, "score": sum(overlaps) / len(overlaps) - 10 * (100 - scores[CLEAN])}

    return validate
