"""EnlightenGAN's step: two batches that have nothing to do with each other, two critics, self features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from restore.data.crops import draw_crops
from restore.degradations import sample as draw
from restore.errors import UsageError
from restore.image import quantise
from restore.losses.adversarial import (
    least_squares_critic,
    least_squares_generator,
    relativistic_critic,
    relativistic_generator,
)
from restore.losses.perceptual import self_feature
from restore.losses.zero_reference import colour_constancy, exposure, smoothness
from restore.models.features import FeatureNet
from restore.train.games.calm import calm_loss, calm_pairs, cleans, lit
from restore.train.games.config import GameConfig
from restore.train.games.data import Sides
from restore.train.games.health import game_notes
from restore.train.games.play import Round, Terms, Turn
from restore.train.processes import Processes, share_of
from restore.train.simulate import simulator

Batch = dict[str, Tensor]


def unpaired_batches(
    config: GameConfig,
    sides: Sides,
    device: torch.device,
    *,
    part: tuple[int, int] = (0, 1),
) -> Callable[[int], Batch]:
    """``make(step)`` gives ``{"low", "input", "normal", "offsets"}``, a function of (seed, step) alone.

    ``input`` is ``low``, darkened further in a share of the samples; ``offsets`` (patches x 2) are the upper left
    corners of the local patches, the same for all three.

    Args:
        part: (rank, processes): which share of every batch this process makes.
    """
    simulate = simulator(config.degradation) if sides.is_simulated else None
    mine = share_of(config.batch, *part, even=True)
    lows, normals = (draw.child_seed(config.seed, side) for side in ("low", "normal"))

    def make(step: int) -> Batch:
        crops = {"batch": config.batch, "size": config.crop, "part": mine}
        x = draw_crops(sides.low, seed=lows, step=step, **crops).to(device)  # type: ignore[arg-type]
        target = draw_crops(sides.normal, seed=normals, step=step, **crops).to(device)  # type: ignore[arg-type]
        g = draw.generator(draw.child_seed(config.seed, "unpaired", step))
        offsets = torch.randint(0, config.crop - config.patch + 1, (config.patches, 2), generator=g)
        divisors = draw.draw_uniform(config.batch, config.jitter[0], config.jitter[1], g)
        untouched = draw.draw_uniform(config.batch, 0, 1, g) >= config.jitter_share
        divisors = torch.where(untouched, torch.ones_like(divisors), divisors)[mine]
        if simulate is not None:
            params = simulate.sample((config.batch, *x.shape[1:]), generator=g).select(mine)
            x = quantise(simulate.apply(x, params))
        calm: Batch = {}
        if config.weight("calm") > 0:
            calm = calm_pairs(target, batch=config.batch, part=mine, sigma=config.calm_sigma, generator=g)
        darker = x / divisors.to(x).view(-1, 1, 1, 1)
        layout = torch.channels_last
        return {
            "low": x.contiguous(memory_format=layout),
            "input": darker.contiguous(memory_format=layout),
            "normal": target.contiguous(memory_format=layout),
            "offsets": offsets,
            **calm,
        }

    return make


def patches_of(x: Tensor, offsets: Tensor, side: int) -> Tensor:
    """``(patches B) x C x side x side``: windows of every sample at the same places."""
    return torch.cat([x[..., t : t + side, le : le + side] for t, le in offsets.tolist()])


def unpaired_turns(config: GameConfig, features: FeatureNet | None, processes: Processes) -> list[Turn]:
    """The generator first (critics frozen), then both critics on its detached output, as published."""
    mean = processes.mean_with_gradient
    critics = [name for name in ("global", "local") if config.weight(name) > 0]

    def views(batch: Batch, x: Tensor, name: str) -> Tensor:
        return x if name == "global" else patches_of(x, batch["offsets"], config.patch)

    def generator(seen: Round) -> Terms:
        batch = seen.batch
        net = seen.nets["generator"]
        light, out = _answer(net, batch["input"])
        added = out - batch["input"]
        seen.left["out"] = out.detach()
        losses: dict[str, Tensor] = {}
        for name in critics:
            fake = seen.nets[name](views(batch, out, name)).float()
            if name == "global" and config.relativistic:
                with torch.no_grad():
                    real = seen.nets[name](views(batch, batch["normal"], name)).float()
                term = relativistic_generator(real, fake, mean=mean)
            else:
                term = least_squares_generator(fake)
            losses[name] = config.weight(name) * term
        for name, view in (("feature", "global"), ("feature_local", "local")):
            if config.weight(name) > 0:
                # Content is compared with the picture before it was darkened further.
                ours, theirs = (views(batch, x, view) for x in (light, batch["low"]))
                losses[name] = config.weight(name) * self_feature(_given(features), ours, theirs)
        if config.weight("calm") > 0:
            losses["calm"] = config.weight("calm") * calm_loss(net, batch["dim"], batch["noisy"])
        if config.weight("identity") > 0:
            change = (lit(net, batch["normal"]).float() - batch["normal"]).abs().mean()
            losses["identity"] = config.weight("identity") * change
        for name, term in _optional_terms(config, out, added).items():
            losses[name] = config.weight(name) * term
        if not losses:
            raise UsageError("every term of the generator's loss has weight 0")
        return losses, game_notes(batch["input"], out, batch["normal"], added)

    def critic(seen: Round) -> Terms:
        batch, out = seen.batch, seen.left["out"]
        losses: dict[str, Tensor] = {}
        notes: dict[str, Tensor] = {}
        for name in critics:
            real = seen.nets[name](views(batch, batch["normal"], name)).float()
            fake = seen.nets[name](views(batch, out, name)).float()
            if name == "global" and config.relativistic:
                losses[f"critic_{name}"] = relativistic_critic(real, fake, mean=mean)
            else:
                losses[f"critic_{name}"] = least_squares_critic(real, fake)
            with torch.no_grad():
                middle = 0.5 * (mean(real) + mean(fake))
                notes[f"margin_{name}"] = real.mean() - fake.mean()
                right = (real > middle).float().mean() + (fake < middle).float().mean()
                notes[f"right_{name}"] = 0.5 * right
        return losses, notes

    turns = [Turn(("generator",), generator)]
    if critics:
        turns.append(Turn(tuple(critics), critic))
    return turns


def _answer(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What holds the picture's content, and what the critics see.

    Both are the answer, unless a second network takes the noise away: that one is taught by "calm" alone. Critics
    would have it paint what well-lit pictures show, and features of the dark picture would have it keep the noise.
    """
    light = lit(net, x)
    if not cleans(net):
        return light, light
    with torch.no_grad():
        noise = light - net.clean(light, x)  # type: ignore[operator]
    return light, light - noise


def _given(features: FeatureNet | None) -> FeatureNet:
    assert features is not None, "a feature term without features"
    return features


def _optional_terms(config: GameConfig, out: Tensor, added: Tensor) -> dict[str, Tensor]:
    """Terms against weak brightening, colour casts and blotches; with any of them on it is not the published loss."""
    terms: dict[str, Callable[[], Tensor]] = {
        "exposure": lambda: exposure(out.float(), level=config.exposure_level),
        "colour": lambda: colour_constancy(out.float()),
        "smooth": lambda: smoothness(added.float().mean(1, keepdim=True)),
    }
    return {name: make() for name, make in terms.items() if config.weight(name) > 0}
