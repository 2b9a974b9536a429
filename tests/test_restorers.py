"""Restorers: one face for every kind of picture, tiles equal to the whole, honest about what they cannot take."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

import restore
from restore.errors import ImageError, RestoreError, UsageError, WeightsError
from restore.metrics import psnr
from restore.models import registry
from restore.models.registry import SHIPPED, load_shipped, weights_path
from restore.models.resunet import ResUNet
from restore.restorers.base import Restorer
from restore.restorers.methods import METHODS_TABLE
from restore.runtime import free_memory
from restore.tiling import run_tiled


@pytest.fixture(scope="module")
def denoise() -> Restorer:
    return restore.load("denoise", device="cpu", precision="fp32")


def test_every_kind_of_picture_comes_back_as_it_came(denoise: Restorer, photo: np.ndarray) -> None:
    part = np.ascontiguousarray(photo[:48, :56])
    tensor = torch.from_numpy(part).permute(2, 0, 1).float() / 255
    same = [part, part[:, :, 0], part.astype(np.uint16) * 257, part.astype(np.float32) / 255]
    for array in same:
        out = denoise(array)
        assert out.shape == array.shape and out.dtype == array.dtype
    for x in (tensor, tensor[None], tensor[None, :1], tensor[None].double(), tensor.expand(2, -1, -1, -1)):
        out = denoise(x)
        assert out.shape == x.shape and out.dtype == x.dtype
    for mode in ("RGB", "L"):
        out = denoise(Image.fromarray(part).convert(mode))
        assert out.mode == mode and out.size == (56, 48)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (17, 33), (65, 64)])
def test_any_size(denoise: Restorer, size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert denoise(x).shape == x.shape


def test_denoises_and_finds_out_the_level_itself(denoise: Restorer, photo_tensor: torch.Tensor) -> None:
    known = restore.load("denoise:sigma=25", device="cpu", precision="fp32")
    noisy, _ = restore.degrade(photo_tensor, "noise:sigma=25", seed=1)
    told, blind = (float(psnr(net(noisy), photo_tensor)) for net in (known, denoise))
    assert told > float(psnr(noisy, photo_tensor)) + 9
    assert blind > told - 0.2
    assert float(psnr(denoise(photo_tensor), photo_tensor)) > 40  # a clean picture stays as it is


def test_a_clean_picture_stays_as_it_is_beside_a_noisy_one(
    denoise: Restorer, photo_tensor: torch.Tensor
) -> None:
    noisy, _ = restore.degrade(photo_tensor, "noise:sigma=25", seed=1)
    flat = torch.full_like(photo_tensor, 0.5)
    y = denoise(torch.cat([flat, noisy, flat]))
    assert torch.equal(y[0], flat[0]) and torch.equal(y[2], flat[0])
    assert torch.allclose(y[1:2], denoise(noisy), atol=1e-4)


def test_tiles_equal_the_whole(photo: np.ndarray) -> None:
    large = np.tile(photo, (2, 2, 1))[:500, :700]
    noisy, _ = restore.degrade(large, "noise:sigma=25")
    options = {"device": "cpu", "precision": "fp32", "sigma": 25}
    whole = restore.load("denoise", **options, tile=1024)(noisy.astype(np.float32) / 255)
    tiles = restore.load("denoise", **options, tile=128)(noisy.astype(np.float32) / 255)
    assert np.abs(whole - tiles).max() < 1e-4
    pixels = restore.load("denoise", **options, tile=128).restore_pixels(noisy)
    assert np.abs(pixels - np.clip(whole, 0, 1) * 255).max() <= 0.51


def test_radius_covers_what_the_network_sees() -> None:
    torch.manual_seed(0)
    net = ResUNet(widths=(8, 8, 8), blocks=(1, 2, 1), conditions=0)
    x = torch.rand(1, 3, 256, 256, requires_grad=True)
    net(x)[0, 0, 128, 131].backward()
    assert x.grad is not None
    rows, columns = (x.grad[0].abs().sum(0) > 0).nonzero(as_tuple=True)
    reach = max(
        128 - int(rows.min()), int(rows.max()) - 128, 131 - int(columns.min()), int(columns.max()) - 131
    )
    assert 0 < reach <= net.radius


def test_a_larger_network_grows_out_of_a_smaller_one() -> None:
    small = ResUNet(widths=(8, 16), blocks=(1, 1)).eval()
    large = ResUNet(widths=(8, 16), blocks=(3, 2)).eval()
    large.load_state_dict(large.grown_from(small.state_dict()))
    wide = ResUNet(widths=(12, 24), blocks=(2, 1)).eval()
    wide.load_state_dict(wide.grown_from(small.state_dict()))
    x, sigma = torch.rand(1, 3, 32, 40), torch.tensor([[0.1]])
    assert torch.allclose(small(x, sigma), large(x, sigma), atol=1e-6)
    assert torch.allclose(small(x, sigma), wide(x, sigma), atol=1e-6)
    blind = ResUNet(widths=(12, 12), blocks=(1, 1), conditions=0)  # wider above, smaller below, told nothing
    blind.load_state_dict(blind.grown_from(large.state_dict()))


@pytest.mark.parametrize("shape", [(64, 4096), (4096, 64), (300, 17), (256, 280), (281, 280)])
def test_no_window_is_larger_than_a_tile_with_its_border(shape: tuple[int, int]) -> None:
    """Strips as well: what is long goes in windows, however narrow it is; what fits is done whole."""
    x = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    out, sizes, shares = torch.zeros_like(x), [], []

    def write(top: int, left: int, y: torch.Tensor) -> None:
        out[..., top : top + y.shape[2], left : left + y.shape[3]] = y

    def double(part: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(part.shape[2:]))
        return 2 * part

    run_tiled(
        double, lambda t, b, le, r: x[..., t:b, le:r], write,
        height=shape[0], width=shape[1], radius=10, multiple=4, tile=253, progress=shares.append,
    )  # fmt: skip
    assert torch.equal(out, 2 * x)
    assert max(map(max, sizes)) <= 256 + 2 * 12 and (len(sizes) == 1) == (max(shape) <= 280)
    assert shares[-1] == 1 and shares == sorted(shares) and len(shares) == len(sizes)


def test_a_tile_too_large_is_halved_and_a_bad_one_done_again() -> None:
    x = torch.rand(1, 3, 200, 300, generator=torch.Generator().manual_seed(0))
    out = torch.full_like(x, -1.0)

    def write(top: int, left: int, y: torch.Tensor) -> None:
        assert (out[:, :, top : top + y.shape[2], left : left + y.shape[3]] == -1).all()  # written once
        out[:, :, top : top + y.shape[2], left : left + y.shape[3]] = y

    def hungry(part: torch.Tensor) -> torch.Tensor:
        if part.shape[2] * part.shape[3] > 90 * 90:
            raise MemoryError
        return part * float("nan") if part.mean() > 0.5 else part + 1

    run_tiled(
        hungry, lambda t, b, le, r: x[:, :, t:b, le:r], write,
        height=200, width=300, radius=4, multiple=8, tile=256, exact=lambda part: part + 1,
    )  # fmt: skip
    assert torch.equal(out, x + 1)
    with pytest.raises(ImageError, match="not finite"):
        run_tiled(
            lambda part: part * float("nan"),
            lambda t, b, le, r: x[:, :, t:b, le:r],
            write,
            height=200,
            width=300,
        )
    with pytest.raises(RestoreError, match="smallest tile"):
        run_tiled(
            lambda part: (_ for _ in ()).throw(MemoryError()), lambda t, b, le, r: x[:, :, t:b, le:r], write,
            height=200, width=300,
        )  # fmt: skip


def test_stands_before_a_classifier_and_lets_gradients_pass(denoise: Restorer) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(denoise.as_module(), torchvision.models.squeezenet1_1().eval())
    x = torch.rand(2, 3, 64, 64, requires_grad=True)
    model(x).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in model[0].parameters())


def test_shipped_weights_are_what_the_table_says() -> None:
    for name, entry in SHIPPED.items():
        _, header = load_shipped(name)
        assert header["sha256"] == entry.sha256 and header["licence"] == "Apache-2.0"
        assert header["name"] == (entry.shared or name) and header["task"] == entry.task
        assert weights_path(name).stat().st_size < 4e6
        assert (weights_path(name).parent / "recipe.toml").exists()


def test_weights_that_are_damaged_or_foreign_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mine.safetensors"
    shutil.copy(weights_path("denoise"), own)
    assert restore.load(f"{own}:sigma=10").spec.task == restore.load(str(own)).spec.task == "denoise"
    data = bytearray(own.read_bytes())
    data[-1] ^= 1
    (tmp_path / "denoise").mkdir()
    (tmp_path / "denoise" / "weights.safetensors").write_bytes(data)
    monkeypatch.setattr(registry, "ZOO", tmp_path)
    with pytest.raises(WeightsError, match="damaged"):
        restore.load("denoise")
    own.write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match="cannot be read"):
        restore.load(str(own))


def test_wrong_names_and_values_are_said_in_words() -> None:
    for name, words in {
        "denoize": "did you mean denoise",
        "denoise:sigma=-1": "sigma from 0 to 255",
        "denoise:strength=1": "takes no 'strength'",
        "bicubic": "needs a scale",
        "bicubic:scale=1.5": "whole scale",
        "denoise:sigma": "expected key=value",
    }.items():
        with pytest.raises(UsageError) as caught:
            restore.load(name)
        assert words in str(caught.value), name
    for bad in (
        np.zeros((4, 4, 4)),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.full((1, 3, 4, 4), float("nan")),
        "x.png",
    ):
        with pytest.raises(ImageError):
            restore.load("identity")(bad)


def test_bicubic_doubles(photo: np.ndarray) -> None:
    assert restore.load("bicubic:scale=2")(photo).shape == (512, 768, 3)
    assert np.array_equal(restore.load("identity")(photo), photo)


def test_a_method_that_must_see_all_refuses_what_memory_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [name for name, method in METHODS_TABLE.items() if method.whole]
    assert len(whole) > 10 and all(METHODS_TABLE[name].bytes_per_pixel >= 24 for name in whole)
    monkeypatch.setattr("restore.restorers.classical.free_memory", lambda device: 16 * 2**30)
    huge = np.broadcast_to(np.uint8(9), (10_000, 10_000, 3))  # one byte
    for name in ("ksvd:sigma=25", "dcp", "wavelet:sigma=25"):
        with pytest.raises(ImageError, match=r"10000 x 10000 pixels take about .* GB, and 17.2 GB are free"):
            restore.load(name, device="cpu")(huge)
    small = np.full((40, 40, 3), 9, dtype=np.uint8)
    monkeypatch.setattr("restore.restorers.classical.free_memory", lambda device: None)
    assert restore.load("equalize", device="cpu")(small).shape == small.shape
    free = free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50


def test_a_method_that_must_see_all_is_never_cut_when_memory_runs_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_out(x: torch.Tensor) -> torch.Tensor:
        raise MemoryError

    equalize = restore.load("equalize", device="cpu")
    monkeypatch.setattr(equalize, "method", dataclasses.replace(METHODS_TABLE["equalize"], function=run_out))
    with pytest.raises(ImageError, match="must see a picture whole"):
        equalize(np.zeros((80, 80, 3), dtype=np.uint8))
