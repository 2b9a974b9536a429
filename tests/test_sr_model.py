"""Super-resolution: the network, its batches, its face as a restorer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore import restorers
from restore.data.library import open_library
from restore.errors import ConfigError, WeightsError
from restore.metrics import psnr_y
from restore.models.registry import ZOO, build
from restore.models.sr import SRNet
from restore.models.weights import save_weights
from restore.resample import imresize
from restore.train.config import Config
from restore.train.paired import batch_maker
from restore.train.recipe import load_recipe, make_recipe
from restore.train.record import header
from restore.train.run import train

TINY: dict[str, Any] = {
    "name": "tiny-sr",
    "task": "upscale",
    "architecture": "sr",
    "arch": {"scale": 2, "width": 8, "blocks": 1},
    "degradation": ["downsample:scale=2"],
    "clean_share": 0.0,
    "steps": 6,
    "batch": 4,
    "crop": 32,
    "precision": "fp32",
    "long_sides": [],
    "min_side": 64,
    "hold_out": 1,
    "validation": ["downsample:scale=2"],
    "validation_metric": "psnr_y",
    "validation_crop": 65,
    "validate_every": 3,
    "log_every": 3,
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    config = make_recipe(
        Config,
        {**TINY, "arch": {"scale": 3, "width": 8, "blocks": 2}, "degradation": [], "crop": 30}
        | {"validation": []},
    )
    torch.manual_seed(0)
    path = tmp_path / "x3.safetensors"
    save_weights(path, SRNet(**config.arch).state_dict(), header(config, 0, {}))
    return path


def test_every_recipe_of_a_task_is_sound() -> None:
    names = "sr-x2 sr-x3 sr-x4 sr-real denoise dejpeg denoise-raw deblur lowlight dehaze raindrop underwater"
    for name in [*names.split(), "inpaint", "weather", "marks"]:
        config = load_recipe(Config, ZOO / name / "recipe.toml")
        net = build(config.architecture, config.arch)
        assert config.name == name and config.training_data and config.validation
        assert (
            sum(p.numel() for p in net.parameters()) <= 2_000_000 and getattr(net, "view", "") == config.view
        )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sizes_and_radius(scale: int) -> None:
    torch.manual_seed(0)
    net = SRNet(scale=scale, width=8, blocks=2).eval()
    for height, width in ((1, 1), (1, 9), (17, 5)):
        assert net(torch.rand(2, 3, height, width)).shape == (2, 3, height * scale, width * scale)
    x = torch.rand(1, 3, 41, 41, requires_grad=True)
    net(x)[0, 0, 20 * scale + 1, 20 * scale].backward()
    assert x.grad is not None
    rows, columns = (x.grad[0].abs().sum(0) > 0).nonzero(as_tuple=True)
    reach = max(20 - int(rows.min()), int(rows.max()) - 20, 20 - int(columns.min()), int(columns.max()) - 20)
    assert 2 < reach <= net.radius


def test_starts_near_bicubic_and_from_another_scale(photo_tensor: torch.Tensor) -> None:
    two, four = SRNet(scale=2, width=8, blocks=2), SRNet(scale=4, width=8, blocks=2)
    small = photo_tensor[..., :64, :64]
    assert float(psnr_y(two(small).detach(), imresize(small, scale=2), border=4)[0]) > 25
    grown = four.grown_from(two.state_dict())
    assert torch.equal(grown["body.0.conv1.weight"], two.body[0].conv1.weight)
    assert torch.equal(grown["tail.weight"], four.tail.weight)
    four.load_state_dict(grown)


def test_pairs_are_those_of_the_protocol(samples: Path) -> None:
    pictures = open_library(samples, long_sides=(), min_side=64, hold_out=1).train
    config = make_recipe(Config, TINY)
    batch = batch_maker(config, pictures, torch.device("cpu"))(2)
    assert batch["clean"].shape == (4, 3, 32, 32)
    assert torch.equal(batch["degraded"], imresize(batch["clean"].contiguous(), scale=0.5, bits=8))
    for wrong in (
        {"crop": 33},
        {"clean_share": 0.1},
        {"arch": {"scale": 1}},
        {"validation": ["noise:sigma=3"]},
    ):
        with pytest.raises(ConfigError, match=r"scale|size|stay"):
            make_recipe(Config, {**TINY, **wrong})


def test_crops_of_shared_fields_are_functions_of_the_step(samples: Path) -> None:
    pictures = open_library(samples, long_sides=(), min_side=64, hold_out=1).train
    config = make_recipe(Config, {**TINY, "field": 48, "reuse": 3, "batch": 5})
    cpu = torch.device("cpu")
    going = batch_maker(config, pictures, cpu)
    seen = [going(step) for step in range(6)]
    resumed = batch_maker(config, pictures, cpu)(5)
    shares = [batch_maker(config, pictures, cpu, part=(rank, 2))(5) for rank in range(2)]
    for key, value in seen[5].items():
        assert torch.equal(value, resumed[key])
        assert torch.equal(value, torch.cat([share[key] for share in shares]))
    assert not torch.equal(seen[4]["clean"], seen[5]["clean"])
    # A crop of a field is the field's own low resolution: away from its borders, the same as made from the crop.
    inner = (..., slice(4, -4), slice(4, -4))
    made = imresize(seen[5]["clean"].contiguous(), scale=0.5, bits=8)
    assert torch.allclose(made[inner], seen[5]["degraded"][inner], atol=1.01 / 255)


def test_trains_and_says_what_it_gains(samples: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    result = train(make_recipe(Config, TINY), samples, tmp_path, device="cpu", report=lines.append)
    assert result.best > 15 and any("gain downsample:scale=2" in line for line in lines)
    net = restore.load(str(tmp_path / "best.safetensors"), device="cpu", precision="fp32")
    assert net.spec.scale == 2


def test_tiles_equal_the_whole_and_grey_stays_grey(weights: Path, photo: np.ndarray) -> None:
    options = {"device": "cpu", "precision": "fp32"}
    x = photo[:150, :170].astype(np.float32) / 255
    whole = restore.load(str(weights), **options)(x)
    tiles = restore.load(str(weights), tile=64, **options)(x)
    assert whole.shape == (450, 510, 3) and np.abs(whole - tiles).max() < 1e-4
    assert restore.load(str(weights), **options)(x[:20, :30, 0]).shape == (60, 90)


def test_a_folder_with_alpha_through_the_command_line(
    weights: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    alpha = np.full((24, 32, 1), 255, np.uint8)
    alpha[:, :16] = 0
    Image.fromarray(np.concatenate([photo[:24, :32], alpha], 2)).save(tmp_path / "in" / "a.png")
    Image.fromarray(photo[:10, :11, 0]).save(tmp_path / "in" / "grey.png")
    command = [
        sys.executable,
        "-m",
        "restore",
        "run",
        str(tmp_path / "in"),
        "-o",
        str(tmp_path / "out"),
        "-m",
    ]
    done = subprocess.run([*command, str(weights)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = Image.open(tmp_path / "out" / "a.png")
    assert out.mode == "RGBA" and out.size == (96, 72)
    assert np.asarray(out)[:, :40, 3].max() == 0 and np.asarray(out)[:, 60:, 3].min() == 255
    assert Image.open(tmp_path / "out" / "grey.png").mode == "L"


def test_a_recipe_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sr-x9").mkdir()
    (tmp_path / "sr-x9" / "recipe.toml").touch()
    monkeypatch.setattr("restore.models.registry.ZOO", tmp_path)
    with pytest.raises(WeightsError, match="restore train sr-x9"):
        restore.load("sr-x9")
    assert "sr-x9" not in restorers.names()
