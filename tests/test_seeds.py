"""What is random follows the seed it was given: all of it, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_stylegan_train import tiny as tiny_generator
from test_train import tiny
from torch import Tensor

from restore.data.fixed_size import PictureSet
from restore.degradations import degradation, names
from restore.degradations import operators as op
from restore.degradations import sample as draw
from restore.inverse.deep_image_prior import deep_image_prior
from restore.inverse.gan.draws import Draws
from restore.inverse.gan.train_encoder import train_base_encoder, train_style_encoder
from restore.models.stylegan2 import StyleGAN2
from restore.train.diagnosis.pool import draw_sample
from restore.train.generators import ada
from restore.train.generators.diffaugment import diff_augment
from restore.train.generators.run import new_duel
from restore.train.paired import batch_maker

CPU = torch.device("cpu")


def pictures(side: int = 64) -> list[np.ndarray]:
    return [np.random.default_rng(i).integers(0, 256, (side, side, 3), np.uint8) for i in range(3)]


def flat(made: Any) -> list[Tensor]:
    """Every tensor of an answer."""
    if isinstance(made, Tensor):
        return [made.detach()]
    return [t for part in (made.values() if isinstance(made, dict) else made) for t in flat(part)]


def by_ada(seed: int) -> Any:
    x = torch.rand(6, 3, 16, 16, generator=draw.generator(0)) * 2 - 1
    return ada.augment(x, 0.6, draw.generator(seed))


def by_diffaugment(seed: int) -> Any:
    x = torch.rand(6, 3, 16, 16, generator=draw.generator(0)) * 2 - 1
    return diff_augment(x, draw.generator(seed))


def by_prior(seed: int) -> Any:
    y = torch.rand(1, 1, 8, 8, generator=draw.generator(0))
    return deep_image_prior(y, op.identity((1, 8, 8)), sigma=0.1, iterations=2, seed=seed).image


def by_encoder(seed: int) -> Any:
    torch.manual_seed(0)
    net = StyleGAN2(resolution=32, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8).eval()
    encoder = train_base_encoder(net, 1, steps=2, batch=2, width=4, seed=seed)
    return dict(encoder.named_parameters())


def by_style_encoder(seed: int) -> Any:
    torch.manual_seed(0)
    net = StyleGAN2(resolution=32, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8).eval()
    encoder = train_style_encoder(net, steps=2, batch=2, width=8, seed=seed)
    return dict(encoder.named_parameters())


def by_duel(seed: int) -> Any:
    shown = PictureSet(torch.arange(4 * 32 * 32).view(4, 1, 32, 32).remainder(251).to(torch.uint8), None)
    duel = new_duel(tiny_generator(seed=seed, augment="ada"), CPU)
    duel.step(1, shown)
    return dict(duel.generator.named_parameters())


def by_paired(seed: int) -> Any:
    config = tiny(seed=seed, grey_share=0.5, clean_share=0.5, stored_share=0.5)
    return batch_maker(config, pictures(), CPU)(1)


def by_pool(seed: int) -> Any:
    return [torch.from_numpy(draw_sample(pictures(96), seed=seed, index=i).pixels).float() for i in range(3)]


MAKERS: dict[str, Callable[[int], Any]] = {
    "ADA": by_ada,
    "DiffAugment": by_diffaugment,
    "deep image prior": by_prior,
    "base encoder": by_encoder,
    "style encoder": by_style_encoder,
    "StyleGAN2's step": by_duel,
    "paired batch": by_paired,
    "pool of the diagnosis": by_pool,
    "latent draws": lambda seed: [Draws([seed, seed + 7], "z").normal(3), Draws([seed], "n").uniform(3)],
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_seed_decides_and_not_what_was_drawn_before(name: str) -> None:
    torch.manual_seed(1)
    one = flat(MAKERS[name](3))
    torch.manual_seed(2)
    again = flat(MAKERS[name](3))
    other = flat(MAKERS[name](4))
    assert len(one) and all(torch.equal(a, b) for a, b in zip(one, again, strict=True)), (
        "global state was used"
    )
    assert all(torch.isfinite(t).all() for t in one)
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True)), "the seed was not used"


class Listener:
    """Writes down what every derived seed was derived from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: dict[tuple[str | int, ...], set[int]] = defaultdict(set)
        derive = draw.child_seed

        def child_seed(seed: int, *path: str | int) -> int:
            self.told[path].add(int(seed))
            return derive(seed, *path)

        monkeypatch.setattr(draw, "child_seed", child_seed)

    def heard(self) -> dict[tuple[str | int, ...], set[int]]:
        told, self.told = dict(self.told), defaultdict(set)
        return told


@pytest.mark.parametrize("name", names())
def test_every_part_of_a_degradation_is_drawn_from_its_samples_seed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part whose seed was dropped is the same in all pictures, which the whole does not show."""
    d = degradation(name)
    x = torch.rand(1, 3, 40, 48, generator=draw.generator(0))
    listener, heard = Listener(monkeypatch), []
    for seed in (11, 12):
        d.apply(x, d.sample((1, *x.shape[1:]), severity=3, generator=draw.generator(seed)))
        heard.append(listener.heard())
    for path in heard[0].keys() & heard[1].keys():
        assert not heard[0][path] & heard[1][path], f"{path} does not follow the seed"


def test_training_derives_every_seed_from_the_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener(monkeypatch)
    for make in (by_paired, by_pool, by_encoder, by_style_encoder, by_duel):
        make(3)
        one = listener.heard()
        make(4)
        other = listener.heard()
        same = {path for path in one.keys() & other.keys() if one[path] & other[path]}
        assert one and not same
