"""The networks the field's history is told with: published sizes, any picture, reach, engines, and that they learn."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spandrel.architectures.NAFNet import NAFNet as ReferenceNAFNet
from torch import nn

import restore
from restore.bench.tables import history
from restore.engines import Choice, build_engine
from restore.metrics import psnr
from restore.models.dncnn import DnCNN
from restore.models.ffdnet import FFDNet
from restore.models.mlp import PatchMLP
from restore.models.nafnet import NAFNet
from restore.models.registry import build
from restore.models.srcnn import SRCNN
from restore.models.vdsr import VDSR
from restore.models.wavemix import WaveMix, haar
from restore.models.weights import save_weights
from restore.resample import imresize
from restore.train.config import Config
from restore.train.recipe import load_recipe, make_recipe
from restore.train.run import train

ZOO = Path(__file__).parent.parent / "models" / "zoo"
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"patch": 7, "out": 5, "hidden": (24,), "stride": 2},
    "deconv-cnn": {"length": 9, "kernels": 6, "width": 12, "first": 4, "last": 3},
    "srcnn": {"scale": 2, "kernels": (5, 1, 3), "widths": (8, 4)},
    "vdsr": {"scale": 3, "depth": 4, "width": 8},
    "dncnn": {"depth": 4, "width": 8},
    "ffdnet": {"depth": 4, "width": 8},
    "nafnet": {"width": 8, "encoders": (1, 1), "middle": 1, "decoders": (1, 1), "conditions": 1},
    "wavemix": {"width": 8, "blocks": 2, "conditions": 1},
}
TOLD = ("ffdnet", "nafnet", "wavemix")


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def small(name: str) -> nn.Module:
    """A small one with weights of a size that makes its answer differ from the picture."""
    torch.manual_seed(0)
    net = build(name, SMALL[name]).eval()
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim > 1:
                p.copy_(torch.randn_like(p) / p[0].numel() ** 0.5)
            elif name == "nafnet" and p.ndim == 1:
                p.add_(0.1 * torch.randn_like(p))
    return net


def told(name: str, batch: int) -> tuple[torch.Tensor, ...]:
    return (torch.full((batch, 1), 0.1),) if name in TOLD else ()


def test_parameter_counts_are_the_published_ones() -> None:
    assert parameters(DnCNN()) == 670_531  # .671M with batch normalisation
    assert parameters(DnCNN(norm=False)) == 668_227  # .668M as released, folded
    assert parameters(FFDNet()) == 852_108  # .852M
    assert parameters(SRCNN()) == 57_281  # 57K, 57,184 of them weights
    assert parameters(VDSR()) == 664_704  # 665K
    assert round(parameters(NAFNet()) / 1e6, 1) == 17.1  # GoPro, width 32
    sides = [289, 2047, 2047, 2047, 2047, 289]
    assert parameters(PatchMLP()) == sum((a + 1) * b for a, b in itertools.pairwise(sides))


def test_nafnet_computes_what_the_reference_computes() -> None:
    torch.manual_seed(0)
    theirs = ReferenceNAFNet(width=8, enc_blk_nums=[1, 2], middle_blk_num=1, dec_blk_nums=[2, 1]).eval()
    ours = NAFNet(width=8, encoders=(1, 2), middle=1, decoders=(2, 1)).eval()
    state = {}
    for key, value in theirs.state_dict().items():
        for old, new in {"middle_blks": "middle", "sca.1": "attention"}.items():
            key = key.replace(old, new)
        parts = key.split(".")
        if parts[0] == "ups":
            parts.pop(2)
        state[".".join(parts)] = torch.randn_like(value) * 0.2
    ours.load_state_dict(state)
    renamed = zip(theirs.state_dict(), state.values(), strict=True)
    theirs.load_state_dict(dict(renamed))
    x = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        expected = theirs(x)
        assert (expected - x).abs().max() > 0.1
        assert torch.allclose(ours(x), expected, atol=1e-4)


def test_haar_is_orthonormal_and_averages() -> None:
    x = torch.rand(2, 3, 8, 10)
    bands = haar(x)
    assert bands.shape == (2, 12, 4, 5)
    assert torch.allclose(bands.square().sum(), x.square().sum(), rtol=1e-5)
    assert torch.allclose(bands[:, :3], 2 * nn.functional.avg_pool2d(x, 2), atol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_any_size_any_engine_and_no_further_than_it_says(name: str) -> None:
    net = small(name)
    spec = net.spec(task="x", conditions=("sigma",) * (name in TOLD))  # type: ignore[operator]
    made = build_engine(net, Choice("onnxruntime", "fp32"), device=torch.device("cpu"),
                        conditions=int(name in TOLD), scale=spec.scale, check=True)  # fmt: skip
    assert "onnxruntime" in made.__qualname__  # not torch, which takes over where an engine fails
    for size in ((1, 1), (1, 6), (17, 24), (33, 34)):
        x = torch.rand(2, 3, *size)
        with torch.no_grad():
            y = net(x, *told(name, 2))
            other = made(x, *(told(name, 2) or (None,)))
        assert y.shape == (2, 3, size[0] * spec.scale, size[1] * spec.scale)
        assert (y - other).abs().max() < 1e-4 * max(1.0, float(y.abs().max()))
    if spec.tiling == "supported":
        side = 2 * spec.radius + 32
        x = torch.rand(1, 3, side, side)
        with torch.no_grad():
            before = net(x, *told(name, 1))
            centre = side // 2
            x[..., centre, centre] += 1
            changed = (net(x, *told(name, 1)) - before).abs().amax((0, 1)) > 1e-6
        rows, columns = changed.nonzero(as_tuple=True)
        places = torch.stack([rows, columns]) // spec.scale - centre
        assert 0 < int(places.abs().max()) <= spec.radius


def test_enlargement_comes_first() -> None:
    net = VDSR(scale=2, depth=3, width=4).eval()  # the last layer starts at zero
    x = torch.rand(1, 3, 7, 9)
    assert torch.allclose(net(x), imresize(x, scale=2), atol=1e-6)


def test_a_patch_network_that_answers_the_noise_it_sees_leaves_nothing() -> None:
    net = PatchMLP(patch=5, out=5, hidden=(25,), stride=2).eval()
    with torch.no_grad():
        net.hidden[0].weight.copy_(torch.eye(25) * 1e-3)
        net.hidden[0].bias.zero_()
        net.answer.weight.copy_(torch.eye(25) * 1e3)
        net.answer.bias.zero_()
        x = torch.rand(1, 3, 13, 18)
        # Every patch answers itself less the middle grey, so the average over all of them is that picture.
        assert torch.allclose(net(x), torch.full_like(x, 0.5), atol=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_recipes_are_sound_and_small_networks_learn(name: str, samples: Path, tmp_path: Path) -> None:
    recipe = load_recipe(Config, ZOO / name / "recipe.toml")
    assert recipe.name == recipe.architecture == name and recipe.conditions == ("sigma",) * (name in TOLD)
    assert parameters(build(name, recipe.arch)) < 2e6 + 1e6 * (name == "mlp")
    if recipe.arch.get("scale", 1) > 1:
        return  # pairs of two sizes are tested with the trainer
    plain = {"steps": 6, "batch": 2, "crop": 24, "arch": SMALL[name], "long_sides": (), "min_side": 64}
    quiet = {"hold_out": 1, "validation_crop": 48, "validate_every": 6, "precision": "fp32"}
    values = {"name": name, "task": "denoise", "architecture": name, "conditions": list(recipe.conditions)}
    config = make_recipe(Config, {**values, "degradation": ["noise:sigma=25"], **plain, **quiet})
    fit = train(config, samples, tmp_path, device="cpu", report=lambda text: None)
    assert fit.best > 5
    restorer = restore.load(str(tmp_path / "best.safetensors"), device="cpu", precision="fp32")
    noisy, _ = restore.degrade(np.full((40, 40, 3), 0.5, np.float32), "noise:sigma=25")
    assert restorer(noisy).shape == (40, 40, 3)


def test_averages_carry_the_statistics_of_normalisation(samples: Path, tmp_path: Path) -> None:
    values = {"name": "d", "task": "denoise", "architecture": "dncnn", "arch": SMALL["dncnn"]}
    plain = {"degradation": ["noise:sigma=25"], "steps": 3, "batch": 2, "crop": 24, "hold_out": 1}
    quiet = {"long_sides": (), "min_side": 64, "validation_crop": 48, "precision": "fp32"}
    fit = train(
        make_recipe(Config, {**values, **plain, **quiet}),
        samples,
        tmp_path,
        device="cpu",
        report=lambda t: None,
    )
    means = [m.running_mean for m in fit.ema.modules() if isinstance(m, nn.BatchNorm2d)]
    assert means and all(bool((mean != 0).any()) for mean in means if mean is not None)


def test_grey_model_files_and_windows(tmp_path: Path, photo_tensor: torch.Tensor) -> None:
    net = WaveMix(width=8, blocks=1)
    about = {
        "architecture": "wavemix",
        "config": {"width": 8, "blocks": 1},
        "task": "denoise",
        "conditions": [],
    }
    save_weights(tmp_path / "w.safetensors", net.state_dict(), about, dtype=torch.float32)
    x = photo_tensor[..., :130, :150]
    path = str(tmp_path / "w.safetensors")
    whole, tiles = (restore.load(path, device="cpu", precision="fp32", tile=t)(x) for t in (512, 32))
    assert torch.allclose(whole, tiles, atol=1e-4) and float(psnr(whole, x)) < 60


def test_history_gives_every_network_the_same_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def pretended(name: str, data: Path, run: Path, steps: int, *, resume: bool = False) -> float:
        asked.append(steps)
        run.mkdir(parents=True, exist_ok=True)
        about = {"architecture": "dncnn", "config": SMALL["dncnn"]}
        state = build("dncnn", SMALL["dncnn"]).state_dict()
        save_weights(run / "best.safetensors", state, about, dtype=torch.float32)
        return 7 + 0.5 * steps  # starting up is not training

    monkeypatch.setattr(history, "_train", pretended)
    (tmp_path / "out").mkdir()
    made = history.trained("dncnn", tmp_path, tmp_path / "out", minutes=2)
    assert asked == [20, 60, 240] and made["steps"] == 240 and made["minutes"] == pytest.approx(127 / 60)
    assert made["parameters"] == sum(p.numel() for p in build("dncnn", SMALL["dncnn"]).parameters())
    assert history.trained("dncnn", tmp_path, tmp_path / "out", minutes=2) == made and len(asked) == 3
