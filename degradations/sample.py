"""The only place where randomness is drawn.

Everything random starts from an explicit ``torch.Generator`` on the CPU, never from global state. Fields
(noise, paths, streaks) are not stored but made again from one integer seed per sample, so a recorded seed
replays them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# torch's CPU generator (mt19937) starts from 32 bits; seeds stay below 2^31, so that JSON keeps them exactly.
SEED_RANGE = 2**31 - 1


def generator(seed: int) -> torch.Generator:
    """A CPU generator started from ``seed``."""
    return torch.Generator().manual_seed(int(seed) % SEED_RANGE)


def child_seed(seed: int, *path: str | int) -> int:
    """The seed of a child, a hash of the parent's seed and the path to the child.

    Siblings get unrelated seeds; the same path always gets the same one, on every machine.
    """
    text = "/".join([str(int(seed)), *map(str, path)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SEED_RANGE


def draw_seeds(count: int, g: torch.Generator) -> Tensor:
    """``count`` seeds, int64."""
    return torch.randint(0, SEED_RANGE, (count,), generator=g)


def draw_uniform(count: int, low: float, high: float, g: torch.Generator) -> Tensor:
    """``count`` values of U(low, high), float64."""
    return torch.rand(count, generator=g, dtype=torch.float64) * (high - low) + low


def draw_normal(count: int, g: torch.Generator) -> Tensor:
    """``count`` values of N(0, 1), float64."""
    return torch.randn(count, generator=g, dtype=torch.float64)


def draw_choice(count: int, options: int, g: torch.Generator) -> Tensor:
    """``count`` indices below ``options``, int64."""
    return torch.randint(0, options, (count,), generator=g)


def draw_weighted(weights: Sequence[float], g: torch.Generator) -> int:
    """One index, drawn with the given weights (they need not sum to 1)."""
    place = draw_uniform(1, 0.0, 1.0, g) * sum(weights)
    below = torch.tensor(weights, dtype=torch.float64).cumsum(0)[:-1] <= place
    return int(below.sum())


def draw_order(count: int, g: torch.Generator) -> list[int]:
    """The numbers below ``count`` in random order."""
    return draw_uniform(count, 0.0, 1.0, g).argsort().tolist()


def uniform_fields(seeds: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Fields of U(0, 1), ``B x shape`` on the CPU, float32; field ``i`` depends on ``seeds[i]`` alone."""
    out = torch.empty((len(seeds), *shape))
    for field, seed in zip(out, seeds.tolist(), strict=True):
        field.uniform_(generator=generator(seed))
    return out


def quick_uniform_fields(seeds: Tensor, shape: tuple[int, ...]) -> Tensor:
    """As :func:`uniform_fields`, other numbers in a third of the time, for what is to be fast."""
    out = torch.empty((len(seeds), *shape))
    for field, seed in zip(out, seeds.tolist(), strict=True):
        field.copy_(
            random_words(seed, field.numel()).bitwise_right_shift_(8).bitwise_and_(0xFFFFFF).view(shape)
        )
    return out.mul_(2.0**-24)


def random_words(seed: int, count: int) -> Tensor:
    """``count`` times 32 random bits as int32 on the CPU; NumPy keeps what its SFC64 gives for a seed."""
    words = np.random.SFC64(int(seed) % SEED_RANGE).random_raw(-(-count // 2))
    return torch.from_numpy(words.view(np.int32))[:count]


def normal_fields(seeds: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal fields ``B x shape`` on the CPU, float32; field ``i`` depends on ``seeds[i]`` alone."""
    out = torch.empty((len(seeds), *shape))
    for field, seed in zip(out, seeds.tolist(), strict=True):
        field.normal_(generator=generator(seed))
    return out


def legacy_normal_fields(seeds: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Standard normal fields as the denoising literature draws them: ``numpy.random.seed(s)``, ``(H, W, C)``.

    Returns ``B x C x H x W`` float32 for ``shape = (C, H, W)``.
    """
    c, h, w = shape
    fields = [np.random.RandomState(s).normal(0, 1, (h, w, c)) for s in seeds.tolist()]
    return torch.from_numpy(np.stack(fields).transpose(0, 3, 1, 2).astype(np.float32))


def poisson_counts(rate: Tensor, seeds: Tensor) -> Tensor:
    """Poisson counts with mean ``rate`` (``B x ...``, from 0), on the CPU; the i-th from ``seeds[i]``."""
    rate = rate.detach().to("cpu", torch.float64)
    drawn = [
        torch.poisson(r, generator=generator(child_seed(s, "poisson")))
        for r, s in zip(rate, seeds.tolist(), strict=True)
    ]
    return torch.stack(drawn).float()
