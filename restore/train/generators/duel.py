"""One step of adversarial training: discriminator, generator, and their lazy regularisers.

Everything drawn in a step comes from (seed, step), so a resumed run equals an uninterrupted one bit for bit.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.data.fixed_size import PictureSet
from restore.degradations import sample as draw
from restore.models.stylegan2 import StyleGAN2
from restore.runtime import autocast, pick_precision
from restore.train.checkpoint import read_checkpoint, write_checkpoint
from restore.train.generators import ada
from restore.train.generators.config import GeneratorConfig
from restore.train.generators.diffaugment import diff_augment
from restore.train.generators.losses import discriminator_loss, generator_loss, path_lengths, r1_penalty

# How fast the mean code follows the codes drawn (Karras et al. 2019).
MEAN_DECAY = 0.995


class Duel:
    """Both networks, the averaged generator, the optimisers and the few numbers that change while training."""

    def __init__(
        self, generator: StyleGAN2, discriminator: nn.Module, config: GeneratorConfig, device: torch.device
    ) -> None:
        # A sixth faster on processors, and nothing else.
        layout = torch.channels_last
        self.generator = generator.to(device, memory_format=layout).train()  # type: ignore[call-overload]
        self.discriminator = discriminator.to(device, memory_format=layout).train()  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.config, self.device = config, device
        self.precision = pick_precision(config.precision, device, safe=("fp32", "bf16"))
        self.optimizers = {
            "generator": _adam(
                generator, config.lr, config.betas, config.path_every if config.path else None
            ),
            "discriminator": _adam(
                discriminator, config.lr_discriminator, config.betas, config.r1_every if config.r1 else None
            ),
        }
        self.best, self.best_step = math.inf, 0
        # Mean path length, ADA's probability, and the signs of D(real) since it last changed.
        self.numbers = torch.zeros(4, dtype=torch.float64)

    @property
    def augment_probability(self) -> float:
        """p of ADA; 0 where it is not used."""
        return float(self.numbers[1])

    def step(self, number: int, pictures: PictureSet) -> dict[str, Tensor]:
        """Step ``number`` (from 0); the losses and what they consist of, as scalars."""
        c = self.config
        g = draw.generator(draw.child_seed(c.seed, "stylegan", number))
        real = self._real(pictures, g)
        terms = self._train_discriminator(real, number, g)
        if number >= c.discriminator_first:
            terms |= self._train_generator(number, g)
            self._follow_average(number)
        if c.augment == "ada" and (number + 1) % c.ada_every == 0:
            signs, count = self.numbers[2:].tolist()
            p = ada.next_probability(
                self.augment_probability,
                signs / max(count, 1),
                images=c.batch * c.ada_every,
                target=c.ada_target,
                span=c.ada_images,
            )
            self.numbers[1:] = torch.tensor([p, 0, 0])
        return terms

    def state(self) -> dict[str, Any]:
        """What changes, but for the best distance."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
            "numbers": self.numbers,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Takes a checkpoint's state."""
        for name in ("generator", "discriminator", "average"):
            getattr(self, name).load_state_dict(state[name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.numbers = state["numbers"].cpu()

    def _real(self, pictures: PictureSet, g: torch.Generator) -> Tensor:
        index = torch.randint(0, len(pictures), (self.config.batch,), generator=g)
        real = pictures.batch(index)
        if self.config.mirror:
            turned = torch.rand(len(real), generator=g) < 0.5
            real = torch.where(turned.view(-1, 1, 1, 1), real.flip(-1), real)
        return real.to(self.device)

    def _codes(self, count: int, g: torch.Generator) -> Tensor:
        """Codes of ``count`` drawn pictures; a share of them changes to a second one at a random layer."""
        net = self.generator
        ws = net.repeat(net.mapping(torch.randn(count, net.z_dim, generator=g).to(self.device)))
        if self.config.mixing:
            other = net.repeat(net.mapping(torch.randn(count, net.z_dim, generator=g).to(self.device)))
            change = torch.randint(1, net.num_ws, (count,), generator=g)
            change = torch.where(torch.rand(count, generator=g) < self.config.mixing, change, net.num_ws)
            first = (torch.arange(net.num_ws) < change[:, None]).to(self.device)
            ws = torch.where(first[..., None], ws, other)
        return ws

    def _make(self, ws: Tensor, g: torch.Generator) -> Tensor:
        noises = [
            torch.randn(len(ws), *s, generator=g).to(self.device) for s in self.generator.noise_shapes()
        ]
        with autocast(self.device, self.precision):
            made = self.generator.synthesis(ws, noises)
        assert isinstance(made, Tensor)
        return made.float()

    def _judge(self, x: Tensor) -> Tensor:
        """What the discriminator says of pictures as they are shown to it."""
        with autocast(self.device, self.precision):
            return self.discriminator(x).float()

    def _shown(self, x: Tensor, g: torch.Generator) -> Tensor:
        """What the discriminator sees of pictures."""
        if self.config.augment == "diffaugment":
            return diff_augment(x, g, self.config.policies)
        return ada.augment(x, self.augment_probability, g) if self.config.augment == "ada" else x

    def _train_discriminator(self, real: Tensor, number: int, g: torch.Generator) -> dict[str, Tensor]:
        c = self.config
        with torch.no_grad():
            codes = self._codes(len(real), g)
            fake = self._shown(self._make(codes, g), g)
            # The mean code is part of the averaged generator, as truncation and inversions start there.
            self.average.w_mean.lerp_(codes[:, 0].mean(0), 1 - MEAN_DECAY)
        shown = self._shown(real, g)
        of_real = self._judge(shown)
        loss = discriminator_loss(of_real, self._judge(fake))
        self._descend("discriminator", loss)
        self.numbers[2] += float(of_real.detach().sign().sum())
        self.numbers[3] += len(real)
        terms = {"discriminator": loss.detach(), "real": of_real.detach().mean()}
        if c.r1 and number % c.r1_every == 0:
            # At what the discriminator sees: resampling has no second derivative in PyTorch. In float32.
            seen = shown.detach().requires_grad_(True)
            penalty = r1_penalty(self.discriminator(seen), seen)
            self._descend("discriminator", penalty * (c.r1 / 2 * c.r1_every))
            terms["r1"] = penalty.detach()
        return terms

    def _train_generator(self, number: int, g: torch.Generator) -> dict[str, Tensor]:
        c = self.config
        self.discriminator.requires_grad_(False)
        loss = generator_loss(self._judge(self._shown(self._make(self._codes(c.batch, g), g), g)))
        self._descend("generator", loss)
        self.discriminator.requires_grad_(True)
        terms = {"generator": loss.detach()}
        if c.path and number % c.path_every == 0:
            ws = self._codes(c.batch // c.path_shrink, g)
            ws = ws if ws.requires_grad else ws.requires_grad_(True)
            lengths = path_lengths(self._make(ws, g), ws, g)
            self.numbers[0] += c.path_decay * (float(lengths.detach().mean()) - self.numbers[0])
            penalty = (lengths - self.numbers[0].to(lengths)).square().mean()
            # A weight of zero on the picture itself would leave RGB biases without a gradient; Adam skips those.
            self._descend("generator", penalty * (c.path * c.path_every))
            terms["path"] = penalty.detach()
        return terms

    def _descend(self, who: str, loss: Tensor) -> None:
        optimizer = self.optimizers[who]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def _follow_average(self, number: int) -> None:
        """Moves the averaged generator; the half-life is at most a share of the pictures seen."""
        c = self.config
        half = min(c.ema_images, (number + 1) * c.batch * c.ema_ramp) if c.ema_ramp else c.ema_images
        decay = 0.5 ** (c.batch / max(half, 1e-8))
        ours, theirs = list(self.average.parameters()), list(self.generator.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)


def save_duel(path: Path, duel: Duel, step: int) -> None:
    """Writes a checkpoint; see :func:`restore.train.checkpoint.write_checkpoint`."""
    content = {"step": step, "best": duel.best, "best_step": duel.best_step, "duel": duel.state()}
    write_checkpoint(path, content)


def load_duel(path: Path, duel: Duel, device: torch.device) -> int:
    """Fills ``duel`` and returns the number of steps done; see :func:`restore.train.checkpoint.read_checkpoint`."""

    def fill(content: dict[str, Any]) -> None:
        duel.load(content["duel"])
        duel.best, duel.best_step = float(content["best"]), int(content["best_step"])

    return read_checkpoint(path, device, fill)


def _adam(net: nn.Module, lr: float, betas: tuple[float, ...], every: int | None) -> torch.optim.Adam:
    """Adam whose settings make up for a regulariser that acts on its own every so many steps (lazily)."""
    share = every / (every + 1) if every else 1.0
    return torch.optim.Adam(
        net.parameters(), lr=lr * share, betas=(betas[0] ** share, betas[1] ** share), eps=1e-8
    )
