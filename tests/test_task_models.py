"""The networks of the tasks: any size, tiled equals whole, warm starts, masks; and what trains them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import restore
from restore.data.library import open_library
from restore.degradations import degradation, trace
from restore.degradations import sample as draw
from restore.errors import ConfigError, ImageError, UsageError
from restore.losses import loss_named
from restore.losses.mask import mask_loss
from restore.metrics import colour_cast
from restore.models.inpaint import pull_push
from restore.models.look import read_thumbnail, thumbnail
from restore.models.registry import build
from restore.models.resunet import ResUNet
from restore.models.retouch import KNOTS, apply_curve, curve
from restore.models.survey import GRID, at_place, place_of
from restore.models.weights import save_weights
from restore.train.config import Config
from restore.train.paired import batch_maker
from restore.train.recipe import make_recipe
from restore.train.record import header
from restore.train.run import train

SMALL: dict[str, Any] = {"widths": [8, 8], "blocks": [1, 1]}
BASE: dict[str, Any] = {
    "name": "tiny",
    "steps": 4,
    "batch": 4,
    "crop": 32,
    "field": 48,
    "reuse": 2,
    "precision": "fp32",
    "long_sides": [],
    "min_side": 64,
    "hold_out": 1,
    "validation_crop": 64,
    "validate_every": 4,
    "log_every": 4,
    "arch": SMALL,
}
TASKS: dict[str, dict[str, Any]] = {
    "medium": {
        "task": "dehaze",
        "degradation": ["haze:severity=0.5..5"],
        "validation": ["haze:severity=3"],
        "view": "thumbnail:64",
        "parts": {"inverted": 0.5},
        "arch": {**SMALL, "dark": True},
    },
    "surveyed": {
        "architecture": "medium",
        "task": "dehaze",
        "degradation": ["haze:severity=0.5..5"],
        "validation": ["haze:severity=3"],
        "view": "thumbnail:128",
        "scenes": True,
        "field": 0,
        "reuse": 1,
        "first_part": "inverted",
        "first_share": 0.5,
        "parts": {"inverted": 0.5},
        "arch": {**SMALL, "dark": True, "survey": True, "absorbs": True},
    },
    "retouch": {
        "task": "lowlight",
        "degradation": ["lowlight:severity=1..5"],
        "validation": ["lowlight:severity=3"],
        "view": "thumbnail:64",
        "parts": {"inverted": 0.5},
    },
    "heal": {
        "task": "oldphoto",
        "degradation": [{"one_of": ["worn-print", "scratches"]}],
        "validation": ["scratches:severity=3"],
        "mask": ["scratches", "dust", "mask"],
        "parts": {"mask": 0.1},
        "arch": {**SMALL, "finder": [8, 8, 8], "gated": True},
    },
    "healed-smoothly": {
        "architecture": "heal",
        "task": "raindrop",
        "degradation": ["raindrop:severity=1..5"],
        "validation": ["raindrop:severity=3"],
        "mask": ["raindrop"],
        "parts": {"mask": 0.1},
        "arch": {**SMALL, "finder": [8, 8], "finder_blocks": [1, 2], "colours": True, "smooth": True},
    },
    "fill": {
        "task": "inpaint",
        "degradation": ["mask:cover=0.1..0.3"],
        "validation": ["mask:severity=3"],
        "mask": ["mask"],
        "mask_input": True,
    },
}


def config_of(architecture: str, **changes: Any) -> Any:
    return make_recipe(Config, {**BASE, "architecture": architecture, **TASKS[architecture], **changes})


def stirred(net: nn.Module) -> nn.Module:
    """A network whose last layers say something."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def save(architecture: str) -> Path:
        config = config_of(architecture)
        torch.manual_seed(0)
        path = tmp_path / f"{architecture}.safetensors"
        net = stirred(build(config.architecture, config.arch))
        save_weights(path, net.state_dict(), header(config, 0, {}), dtype=torch.float32)
        return path

    return save


@pytest.mark.parametrize("architecture", TASKS)
def test_any_size_and_tiles_equal_the_whole(architecture: str, saved: Any, photo: np.ndarray) -> None:
    options: dict[str, Any] = {"device": "cpu", "precision": "fp32"}
    path = str(saved(architecture))
    needs = restore.load(path, **options).spec.mask
    large = np.tile(photo, (1, 2, 1))[:96, :520].astype(np.float32) / 255
    hole = np.zeros((96, 520), bool)
    hole[30:70, 230:330] = hole[:20, :40] = True
    for height, width in ((1, 1), (5, 33)):
        small = {"mask": hole[:height, :width]} if needs else {}
        assert restore.load(path, **options)(large[:height, :width], **small).shape == (height, width, 3)
    given = {"mask": hole} if needs else {}
    whole = restore.load(path, tile=1024, **options)(large, **given)
    tiles = restore.load(path, tile=128, **options)(large, **given)
    assert np.abs(whole - large).max() > 0.01
    assert np.abs(whole - tiles).max() < 1e-4


@pytest.mark.parametrize("architecture", TASKS)
def test_trains_from_a_recipe(architecture: str, samples: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    start = tmp_path / "start.safetensors"
    plain = ResUNet(widths=(8, 8), blocks=(1, 1), conditions=1)
    save_weights(start, plain.state_dict(), {"architecture": "resunet", "config": {}})
    result = train(
        config_of(architecture), samples, tmp_path / "run", device="cpu", init=start, report=lines.append
    )
    assert result.best > 5 and any("gain" in line for line in lines)


def test_batches_hold_what_the_network_is_shown_and_asked(samples: Path, tmp_path: Path) -> None:
    pictures = open_library(samples, long_sides=(), min_side=64, hold_out=1).train
    cpu = torch.device("cpu")
    fill = batch_maker(config_of("fill", clean_share=0.0), pictures, cpu)(3)
    hole = fill["degraded"][:, 3:]
    assert torch.equal(hole, fill["mask"]) and set(hole.unique().tolist()) <= {0.0, 1.0} and hole.any()
    assert torch.equal(fill["degraded"][:, :3], fill["clean"] * (1 - hole))
    heal = batch_maker(config_of("heal", degradation=["scratches:severity=4"]), pictures, cpu)(0)
    changed = (heal["degraded"] - heal["clean"]).abs().amax(1, keepdim=True) > 0.02
    assert changed.any() and not (changed & (heal["mask"] < 0.01)).any()
    medium = batch_maker(config_of("medium"), pictures, cpu)
    first, again = medium(1), batch_maker(config_of("medium"), pictures, cpu)(1)
    assert first["view"].shape == (4, 3, 64, 64) and torch.equal(first["view"], again["view"])
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None] * 4, 80, 1).repeat(3, 2)
    scenes = batch_maker(config_of("surveyed", batch=16), [ramp], cpu)(0)["clean"]
    assert (scenes.diff(dim=2) > 0).all() and (scenes.diff(dim=3) == 0).all(), "up stays up"
    for wrong in (
        {"view": "thumbnail:32"},
        {"view": "lag"},
        {"parts": {"inverted": -1}},
        {"mask": ["noise"]},
        {"mask": ["mask"]},
    ):
        with pytest.raises(ConfigError):
            train(
                config_of("medium", **wrong),
                samples,
                tmp_path / "run",
                device="cpu",
                report=lambda text: None,
            )


def test_a_plain_network_starts_others_and_does_the_same() -> None:
    torch.manual_seed(0)
    told = stirred(ResUNet(widths=(8, 8), blocks=(1, 1), conditions=1))
    x = torch.rand(1, 3, 64, 64)
    before = told(x, torch.tensor([[10 / 255]]))
    blind = ResUNet(widths=(8, 8), blocks=(2, 1), conditions=0).eval()
    blind.load_state_dict(blind.grown_from(told.state_dict()))
    inner = (
        ...,
        slice(28, -28),
        slice(28, -28),
    )  # a condition is a map that ends at the border, a bias does not
    assert torch.allclose(blind(x)[inner], before[inner], atol=1e-5)
    masked = ResUNet(widths=(8, 8), blocks=(1, 1), conditions=0, extra=1).eval()
    masked.load_state_dict(masked.grown_from(told.state_dict()))
    with_hole = torch.cat([x, torch.rand(1, 1, 64, 64)], 1)
    assert torch.allclose(masked(with_hole)[inner], before[inner], atol=1e-5)


def test_a_healer_that_sees_more_starts_as_what_it_was() -> None:
    torch.manual_seed(0)
    old = stirred(build("heal", {**SMALL, "finder": [8, 8], "gated": True}))
    more = {"finder_blocks": [1, 2], "colours": True, "smooth": True}
    new = build("heal", {**SMALL, "finder": [8, 8], "gated": True, **more}).eval()
    new.load_state_dict(new.grown_from(old.state_dict()))
    x = torch.rand(1, 3, 64, 48)
    assert torch.allclose(new(x), old(x), atol=1e-6)


def test_a_thumbnail_read_by_strips_is_that_of_the_whole() -> None:
    for height, width in ((201, 130), (40, 7), (1, 1)):
        x = torch.rand(1, 3, height, width)
        strips = read_thumbnail(lambda t, b, le, r, x=x: x[:, :, t:b, le:r], height, width, 64)
        assert torch.allclose(strips, thumbnail(x, 64), atol=1e-6)


def test_planes_of_a_survey_meet_every_window_where_it_lies() -> None:
    ramp = (torch.arange(GRID) + 0.5) / GRID
    planes = torch.stack([ramp[:, None].expand(GRID, GRID), ramp.expand(GRID, GRID)])[None]
    whole = place_of(torch.empty(1, 3, 96, 160))
    inner = (
        ...,
        slice(9, -9),
        slice(15, -15),
    )  # where a cubic has its neighbours (of -0.75, so nearly a plane)
    assert torch.allclose(at_place(planes, whole)[inner], whole[inner], atol=4e-3)
    window = place_of(torch.empty(1, 3, 20, 30), top=8, left=64, height=96, width=160)
    assert torch.equal(window, whole[..., 8:28, 64:94])


def test_a_curve_of_nothing_is_the_identity_and_rises() -> None:
    x = torch.linspace(0, 1, 240).view(1, 3, 8, 10)
    flat = curve(torch.zeros(1, 3, KNOTS))
    assert torch.allclose(apply_curve(x, flat), x, atol=1e-6)
    steep = apply_curve(x.flatten().sort().values.view(1, 1, 1, -1), curve(torch.randn(1, 1, KNOTS)))
    assert (steep.flatten().diff() > 0).all()


def test_pull_push_keeps_what_is_known_and_continues_a_plane() -> None:
    plane = torch.linspace(0.2, 0.8, 128).view(1, 1, 1, -1).expand(1, 3, 128, 128).contiguous()
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 50:70, 40:90] = 1
    filled = pull_push(plane * (1 - mask), mask)
    assert torch.allclose(filled[..., :50, :], plane[..., :50, :], atol=1e-6)
    assert float((filled - plane).abs().max()) < 0.12
    assert (pull_push(plane, torch.ones_like(mask)) == 0.5).all()


def test_traces_are_what_was_painted(photo_tensor: torch.Tensor) -> None:
    x = photo_tensor[..., :96, :96]
    for name in ("mask:value=0.3", "scratches", "watermark:opacity=0.6"):
        d = degradation(name)
        y, params = d(x, severity=4, generator=draw.generator(1))
        left = 1 - trace(params, tuple(x.shape))
        untouched = (left == 1).expand_as(x)
        assert torch.equal(y[untouched], x[untouched]) and (left < 0.9).any(), name
    mixed = degradation(["blur:sigma=1", "worn-print"])
    _, params = mixed(x, generator=draw.generator(0))
    assert trace(params, tuple(x.shape), ["scratches", "dust", "mask", "crease"]).max() <= 1


def test_losses_by_name_and_their_sums() -> None:
    x, y = torch.rand(2, 3, 8, 8, requires_grad=True), torch.rand(2, 3, 8, 8)
    both = loss_named("l1 + 0.5*spectrum")(x, y)
    assert torch.isclose(both, loss_named("l1")(x, y) + 0.5 * loss_named("spectrum")(x, y))
    x = x.detach()
    assert float(loss_named("gradient")(x + 0.3, x)) < 1e-6 < float(loss_named("gradient")(x, y))
    for wrong in ("l3", "0*l1", "a*l1"):
        with pytest.raises(UsageError):
            loss_named(wrong)
    target = (y[:, :1] > 0.7).float()
    assert (
        float(mask_loss(20 * target - 10, target)) < 0.01 < float(mask_loss(torch.zeros_like(target), target))
    )


def test_masks_of_a_folder_and_what_is_wrong_with_them(photo: np.ndarray, tmp_path: Path) -> None:
    for name in ("in/sub", "mask/sub"):
        (tmp_path / name).mkdir(parents=True)
    hole = np.zeros((60, 80), np.uint8)
    hole[20:40, 30:50] = 255
    damaged = photo[:60, :80].copy()
    damaged[hole > 0] = 0
    Image.fromarray(damaged).save(tmp_path / "in/sub/a.png")
    Image.fromarray(damaged).save(tmp_path / "in/b.png")
    Image.fromarray(hole).save(tmp_path / "mask/sub/a.png")
    command = [sys.executable, "-m", "restore", "run", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "-m", "telea", "--mask", str(tmp_path / "mask")], capture_output=True, text=True
    )
    assert done.returncode == 1 and "no mask of this name" in done.stderr, done.stderr
    made = np.asarray(Image.open(tmp_path / "out/sub/a.png"))
    assert np.array_equal(made[hole == 0], damaged[hole == 0]) and made[hole > 0].mean() > 30
    wrong = subprocess.run([*command, "-m", "telea"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "--mask" in wrong.stderr
    with pytest.raises(UsageError, match="takes no mask"):
        restore.load("identity")(damaged, mask=hole)
    with pytest.raises(ImageError, match="mask of 60 x 80"):
        restore.load("telea")(damaged, mask=hole[:50])


def test_the_bench_gives_masks_and_counts_what_improved(photo: np.ndarray, tmp_path: Path) -> None:
    from restore.bench import run_bench

    Image.fromarray(photo[:96, :128]).save(tmp_path / "a.png")
    result = run_bench(tmp_path, degradations=["mask:severity=2"], models=["telea", "identity"])
    rows = {entry["model"]: entry for entry in result.summary}
    assert not result.failures and rows["telea"]["improved"] == 1 and rows["identity"]["improved"] == 0
    assert rows["telea"]["gain"] > 3 and rows["input"]["improved"] is None


def test_every_bench_of_the_zoo_is_sound(photo: np.ndarray, tmp_path: Path) -> None:
    from restore import restorers
    from restore.bench.conditions import parse_condition
    from restore.bench.preset import load_preset
    from restore.models.registry import ZOO
    from restore.names import parse_name

    found = {path.parent.name: path for path in ZOO.glob("*/bench.toml")}
    assert {"sr-x4", "dejpeg", "inpaint", "lowlight"} <= set(found)
    for name, path in found.items():
        for table in tomllib.loads(path.read_text()):
            preset = load_preset(f"{name}:{table}")
            assert preset.degradations and all(parse_condition(text) for text in preset.degradations)
            for model in preset.models:
                assert model == name or restorers.describe(parse_name(model)[0]), model
    with pytest.raises(UsageError, match="did you mean kodak24-grey"):
        load_preset("dejpeg:kodak24-gray")
    Image.fromarray(photo[:64, :80]).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "restore", "bench", "--preset", "dejpeg", "-m", "identity", "--data"]
    command += [str(tmp_path), "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "luma601" in result["protocol"] and {r["degradation"] for r in result["rows"]} >= {
        "jpeg:quality=10"
    }
    assert all(row["psnr"] > 20 for row in result["rows"]) and result["options"]["luma"]


def test_a_cast_is_a_tint_and_nothing_else(photo_tensor: torch.Tensor) -> None:
    tint = torch.tensor([10.0, 0.0, -10.0]).view(1, 3, 1, 1) / 255
    luma = 10 * 0.299 - 10 * 0.114
    expected = float(np.hypot((-10 - luma) / 1.772, (10 - luma) / 1.402))
    assert float(colour_cast(photo_tensor + tint, photo_tensor)) == pytest.approx(expected, rel=1e-4)
    assert float(colour_cast(photo_tensor + 0.2, photo_tensor)) == pytest.approx(0, abs=1e-3)
