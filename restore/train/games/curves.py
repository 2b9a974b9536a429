"""Curve estimation without any reference (Zero-DCE): one network, one turn, low pictures alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from restore.data.crops import draw_crops
from restore.degradations import sample as draw
from restore.errors import ConfigError
from restore.image import quantise
from restore.losses.zero_reference import colour_constancy, exposure, smoothness, spatial_consistency
from restore.models.curve import CurveNet
from restore.train.games.config import GameConfig
from restore.train.games.data import Sides
from restore.train.games.health import game_notes
from restore.train.games.play import Round, Terms, Turn
from restore.train.processes import share_of
from restore.train.simulate import simulator


def curve_batches(
    config: GameConfig, sides: Sides, device: torch.device, *, part: tuple[int, int] = (0, 1)
) -> Callable[[int], dict[str, Tensor]]:
    """``make(step)`` gives ``{"low"}``; a ``clean_share`` of simulated samples keeps its light.

    The published training mixes exposures as well: a network that has only seen the dark over-exposes the rest.
    """
    simulate = simulator(config.degradation) if sides.is_simulated else None
    mine = share_of(config.batch, *part, even=True)
    seed = draw.child_seed(config.seed, "low")

    def make(step: int) -> dict[str, Tensor]:
        x = draw_crops(sides.low, seed=seed, step=step, batch=config.batch, size=config.crop, part=mine)
        x = x.to(device)
        if simulate is not None:
            g = draw.generator(draw.child_seed(config.seed, "curves", step))
            params = simulate.sample((config.batch, *x.shape[1:]), generator=g).select(mine)
            kept = (draw.draw_uniform(config.batch, 0, 1, g) < config.clean_share)[mine].to(device)
            x = torch.where(kept.view(-1, 1, 1, 1), x, quantise(simulate.apply(x, params)))
        return {"low": x.contiguous(memory_format=torch.channels_last)}

    return make


def curve_turns(config: GameConfig) -> list[Turn]:
    """Spatial consistency, exposure, grey world and smooth curves."""

    def turn(seen: Round) -> Terms:
        net, x = seen.nets["generator"], seen.batch["low"]
        if not isinstance(net, CurveNet):
            raise ConfigError(f'step "curves" trains architecture "curve", not {config.architecture!r}')
        maps = net.maps(x)
        out = net.bend(x, maps)
        terms = {
            "spatial": lambda: spatial_consistency(out, x),
            "exposure": lambda: exposure(out, level=config.exposure_level),
            "colour": lambda: colour_constancy(out),
            "smooth": lambda: smoothness(maps),
        }
        losses = {k: config.weight(k) * make() for k, make in terms.items() if config.weight(k) > 0}
        return losses, game_notes(x, out, x, out - x)

    return [Turn(("generator",), turn)]
