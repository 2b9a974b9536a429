"""Training a generator: the run's promises and the pieces against their definitions, at toy size."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from restore.data.fixed_size import open_pictures, read_idx
from restore.errors import ConfigError, ImageError, UsageError
from restore.metrics.frechet import frechet_distance
from restore.models.registry import load_file
from restore.models.weights import read_weights
from restore.train.generators import ada
from restore.train.generators.config import GeneratorConfig
from restore.train.generators.diffaugment import POLICIES, cutout, diff_augment, translation
from restore.train.generators.losses import path_lengths, r1_penalty
from restore.train.generators.run import new_duel, train_generator
from restore.train.recipe import load_recipe, make_recipe

TINY: dict[str, Any] = {
    "name": "tiny",
    "arch": {"resolution": 32, "channels": 1, "channel_base": 128, "channel_max": 6},
    "generator": {"z_dim": 8, "w_dim": 8, "mapping_layers": 2},
    "steps": 6,
    "batch": 4,
    "r1_every": 3,
    "path_every": 2,
    "snapshot_every": 2,
    "log_every": 2,
    "distance_images": 30,
    "measure_steps": 10,
}


def tiny(**changes: object) -> GeneratorConfig:
    return make_recipe(GeneratorConfig, {**TINY, **changes})


def quiet(text: str) -> None:
    pass


def write_idx(path: Path, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0))


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A labelled IDX set of 60 blots of 28 x 28."""
    folder = tmp_path / "set"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = np.zeros((60, 28, 28))
    for image, label in zip(images, labels, strict=True):
        y, x = rng.integers(2, 18, 2)
        image[y : y + 4 + 3 * label, x : x + 10 - 3 * label] = 255
    write_idx(folder / "train-images-idx3-ubyte.gz", images)
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels)
    return folder


def last(path: Path) -> dict[str, Any]:
    return torch.load(path / "last.pt", weights_only=True)


@pytest.mark.parametrize("augment", ["none", "diffaugment", "ada"])
def test_resumed_equals_uninterrupted_bit_for_bit(digits: Path, tmp_path: Path, augment: str) -> None:
    # A target that is never met makes p of ADA move.
    config = tiny(augment=augment, ada_every=2, ada_target=0.0, ada_images=20.0)
    train_generator(config, digits, tmp_path / "whole", device="cpu", threads=1, report=quiet)

    class Stop(Exception):
        pass

    def stop(text: str) -> None:
        if text.startswith("step 6/"):
            raise Stop

    with pytest.raises(Stop):
        train_generator(config, digits, tmp_path / "parts", device="cpu", threads=1, report=stop)
    assert last(tmp_path / "parts")["step"] == 4
    with pytest.raises(UsageError, match="already holds a run"):
        train_generator(config, digits, tmp_path / "parts", device="cpu", threads=1, report=quiet)
    train_generator(config, digits, tmp_path / "parts", resume=True, device="cpu", threads=1, report=quiet)
    whole, parts = (last(tmp_path / name)["duel"] for name in ("whole", "parts"))
    for net in ("generator", "discriminator", "average"):
        assert all(torch.equal(v, parts[net][k]) for k, v in whole[net].items()), net
    assert torch.equal(whole["numbers"], parts["numbers"])
    lines = [
        [json.loads(s) for s in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [{k: v for k, v in a.items() if k != "images_per_second"} for a in lines[0]] == [
        {k: v for k, v in a.items() if k != "images_per_second"} for a in lines[1]
    ]


def test_a_trained_generator_says_what_it_is(digits: Path, tmp_path: Path) -> None:
    result = train_generator(tiny(), digits, tmp_path / "run", device="cpu", threads=1, report=quiet)
    net, header = load_file(tmp_path / "run" / "best.safetensors")
    assert header["config"]["z_dim"] == 8 and header["validation"]["extractor"] == result["extractor"]
    assert header["validation"]["distance"] == pytest.approx(result["distance"])
    assert net(torch.zeros(1, 8)).shape == (1, 1, 32, 32)
    assert (net.w_mean != 0).all()  # type: ignore[operator, union-attr]
    assert (tmp_path / "run" / "samples.png").stat().st_size > 500


def test_starts_from_a_generator_and_spares_it_at_first(digits: Path, tmp_path: Path) -> None:
    train_generator(tiny(), digits, tmp_path / "a", device="cpu", threads=1, report=quiet)
    start = tmp_path / "a" / "best.safetensors"
    config = tiny(seed=1, discriminator_first=3, steps=3, snapshot_every=3)
    train_generator(config, digits, tmp_path / "b", init=start, device="cpu", threads=1, report=quiet)
    given, duel = read_weights(start)[0], last(tmp_path / "b")["duel"]
    names = {name for name, _ in new_duel(config, torch.device("cpu")).generator.named_parameters()}
    assert all(torch.equal(duel[who][n], given[n]) for who in ("generator", "average") for n in names)
    fresh = new_duel(config, torch.device("cpu")).discriminator.state_dict()
    assert any(not torch.equal(v, duel["discriminator"][k]) for k, v in fresh.items())


def test_from_the_command_line(digits: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "restore", "train", "fashion", "--threads", "1"]
    command += ["--data", str(digits), "--out"]
    small = [
        "steps=1",
        "batch=2",
        "arch.channel_max=4",
        "generator.w_dim=8",
        "distance_images=20",
        "measure_steps=5",
    ]
    sets = [part for s in small for part in ("--set", s)]
    done = subprocess.run([*command, str(tmp_path / "run"), *sets], capture_output=True, text=True)
    assert done.returncode == 0 and "step 1/1" in done.stderr, done.stderr


def test_recipes_are_checked(tmp_path: Path) -> None:
    from restore.models.registry import ZOO

    for name in ("fashion", "cifar"):
        assert load_recipe(GeneratorConfig, ZOO / name / "recipe.toml").name == name
    with pytest.raises(ConfigError, match="did you mean step or steps"):
        load_recipe(GeneratorConfig, ZOO / "cifar" / "recipe.toml", ["stepz=1"])
    with pytest.raises(ConfigError) as caught:
        make_recipe(
            GeneratorConfig, {"augment": "some", "steps": "many", "lr": -1.0, "batch": 3, "name": "x"}
        )
    for part in ("augment", "steps: expected int", "lr", "batch: 3"):
        assert part in str(caught.value)


def test_penalties_are_the_gradients_they_claim_to_be() -> None:
    """R1 and path lengths of linear maps, where the gradients are known."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(48, generator=g)
    x = torch.randn(5, 3, 4, 4, generator=g, requires_grad=True)
    assert r1_penalty(x.flatten(1) @ weight, x).item() == pytest.approx(float(weight.square().sum()))
    ws = torch.randn(4000, 2, 6, generator=g, requires_grad=True)
    basis = torch.randn(12, 16, generator=g)
    lengths = path_lengths((ws.flatten(1) @ basis).view(-1, 1, 4, 4), ws, g)
    # E |J' y|^2 = |J|^2 / pixels, averaged over the two layers.
    expected = basis.square().sum() / 16 / 2
    assert lengths.square().mean().item() == pytest.approx(float(expected), rel=0.05)


def test_distance_between_gaussians() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4000, 6)) @ rng.normal(size=(6, 6))
    b = rng.normal(size=(3000, 6)) @ rng.normal(size=(6, 6)) + 1
    first, second = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 2) == pytest.approx(6 * 4)
    with pytest.raises(UsageError):
        frechet_distance(a, b[:, :3])


def test_augmentations_stay_per_sample_and_differentiable() -> None:
    x = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    x.requires_grad_(True)

    def g() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    for made in (diff_augment(x, g(), tuple(POLICIES)), ada.augment(x, 1.0, g())):
        assert made.shape == x.shape and not torch.equal(made, x)
        (gradient,) = torch.autograd.grad(made[2].square().sum(), x)
        assert gradient[2].abs().sum() > 0 and gradient[[0, 1, 3, 4, 5]].abs().sum() == 0
    assert torch.equal(ada.augment(x, 0.0, g()), x)
    holes = (cutout(torch.ones(400, 1, 32, 32), g()) == 0).float().mean().item()
    assert 0.14 < holes < 0.25  # a quarter, less what lies outside
    moved = translation(x.detach(), g())
    for before, after in zip(x.detach(), moved, strict=True):
        kept = torch.isin(after[after != 0], before)
        assert kept.all() and (after != 0).float().mean() > (28 / 32) ** 2 - 0.01


def test_geometry_of_ada_turns_what_it_should() -> None:
    """With p = 1 the mean grey of a smooth picture hardly changes, and p moves by the stated step."""
    rows = torch.linspace(-1, 1, 32).view(1, 1, 32, 1).expand(64, 1, 32, 32)
    made = ada.augment(rows, 1.0, torch.Generator().manual_seed(0))
    across = (made[:, 0, :, 1:] - made[:, 0, :, :-1]).abs().mean((1, 2))
    assert across.max() > 0.03 and made.isfinite().all()  # some were turned on their side
    p = ada.next_probability(0.5, 0.9, images=250, target=0.6, span=500_000)
    assert p == pytest.approx(0.5005)
    assert ada.next_probability(0.0, 0.1, images=250, target=0.6, span=500) == 0


def test_pictures_of_one_size(digits: Path, samples: Path, tmp_path: Path) -> None:
    found = open_pictures(digits, resolution=32, channels=1)
    assert found.pixels.shape == (60, 1, 32, 32) and found.labels is not None
    assert found.labels[:4].tolist() == [0, 1, 2, 0]
    inner = found.pixels[:, 0, 2:30, 2:30].numpy()
    assert np.array_equal(inner, read_idx(digits / "train-images-idx3-ubyte.gz"))
    assert int(found.pixels.sum()) == int(inner.sum())
    photos = open_pictures(samples, resolution=64, channels=3)
    assert photos.pixels.shape[1:] == (3, 64, 64) and photos.labels is None
    grey = open_pictures(samples, resolution=32, channels=1).batch(torch.tensor([0]))
    assert grey.shape == (1, 1, 32, 32) and grey.min() >= -1 and grey.max() <= 1
    (tmp_path / "bad.gz").write_bytes(b"\0\0\x08\x01\0\0\0\x05abc")
    with pytest.raises(ImageError, match="states 5 values and holds 3"):
        read_idx(tmp_path / "bad.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no usable pictures"):
        open_pictures(tmp_path / "empty", resolution=32, channels=1)


def test_lazy_adam_keeps_the_effective_rate() -> None:
    from restore.train.generators.duel import _adam

    group = _adam(nn.Linear(2, 2), 2e-3, (0.0, 0.99), 16).param_groups[0]
    assert group["lr"] == pytest.approx(2e-3 * 16 / 17)
    assert group["betas"] == (0.0, pytest.approx(0.99 ** (16 / 17)))
