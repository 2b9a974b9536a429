"""Further measures against independent implementations, stored values of them, and by hand."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from restore.bench import run_bench
from restore.bench.show import bench_page
from restore.errors import UsageError, WeightsError
from restore.image import array_to_tensor
from restore.metrics.brisque import brisque, brisque_features
from restore.metrics.exposure import burnt_share, clipped, colour_cast, mean_luma, misexposure, noise_gain
from restore.metrics.frechet import frechet_distance
from restore.metrics.kernel_distance import kernel_distance
from restore.metrics.niqe import niqe
from restore.metrics.psnr import psnr
from restore.metrics.scene_statistics import grey_levels
from restore.metrics.structure import ciede2000, gmsd, match_mean, ms_ssim
from restore.metrics.table import MEASURES, pick_measures

# piq.brisque is a function once piq is imported.
piq_brisque = importlib.import_module("piq.brisque")


def photo(name: str = "astronaut") -> torch.Tensor:
    return array_to_tensor(getattr(skimage.data, name)())


def noisy(x: torch.Tensor, sigma: float = 0.05) -> torch.Tensor:
    return (x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


# BasicSR 1.4.2, niqe() with the authors' parameters, on the 8-bit grey levels of scikit-image's pictures.
BASICSR = {"astronaut": 3.0681, "coffee": 4.0660, "camera": 3.0964}


@pytest.mark.parametrize("name", BASICSR)
def test_niqe_agrees_with_basicsr(name: str) -> None:
    assert float(niqe(photo(name))) == pytest.approx(BASICSR[name], abs=0.003)


def test_niqe_sees_noise_and_blur_and_refuses_to_guess() -> None:
    x = photo("camera")
    blurred = torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2)
    assert float(niqe(noisy(x))) > float(niqe(x)) + 1 and float(niqe(blurred)) > float(niqe(x)) + 1
    assert math.isnan(float(niqe(x[..., :96, :100]))) and math.isnan(
        float(niqe(torch.full((1, 3, 200, 300), 0.5)))
    )
    both = torch.cat([x, noisy(x)])
    assert torch.equal(niqe(both), torch.cat([niqe(x), niqe(noisy(x))]))


@pytest.mark.parametrize("name", ["astronaut", "camera"])
def test_brisque_features_agree_with_piq(name: str) -> None:
    grey = grey_levels(photo(name))[0]
    level, theirs = torch.from_numpy(grey)[None, None], []
    for _ in range(2):
        theirs.append(piq_brisque._natural_scene_statistics(level)[0])
        level = piq_brisque.imresize(level, sizes=(level.shape[-2] // 2, level.shape[-1] // 2))
    assert brisque_features(grey) == pytest.approx(torch.cat(theirs).numpy(), abs=1e-5)


def test_brisque_scores_with_the_authors_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """piq's regression, given the vectors that are shipped here instead of a download."""
    import restore.metrics.brisque as ours

    p = ours._parameters()
    vectors = torch.from_numpy(p["vectors"]), torch.from_numpy(p["coefficients"])
    monkeypatch.setattr(piq_brisque, "load_url", lambda *a, **k: (vectors[1], vectors[0].clone()))
    for x in (photo(), noisy(photo())):
        levels = torch.floor(x.double() * 255 + 0.5) / 255
        theirs = float(piq_brisque.brisque(levels, data_range=1.0, reduction="none"))
        assert float(brisque(x)) == pytest.approx(theirs, abs=0.05)
    assert float(brisque(noisy(photo()))) > float(brisque(photo())) + 10


def test_structure_and_colour() -> None:
    x, y = noisy(photo()), photo()
    assert float(ms_ssim(y, y)) == pytest.approx(1) and 0.7 < float(ms_ssim(x, y)) < 0.99
    assert float(gmsd(y, y)) == pytest.approx(0, abs=1e-6) and float(gmsd(x, y)) > 0.01
    assert math.isnan(float(ms_ssim(x[..., :160, :], y[..., :160, :])))
    assert float(ciede2000(y, y)) == 0
    # Grey levels of L* 50 and 60: a published property of CIEDE2000 is that dE = dL / SL for greys.
    from skimage.color import lab2rgb

    a, b = (
        torch.from_numpy(lab2rgb(np.full((4, 4, 3), (v, 0, 0), float))).permute(2, 0, 1)[None]
        for v in (50, 60)
    )
    sl = 1 + 0.015 * (55 - 50) ** 2 / math.sqrt(20 + (55 - 50) ** 2)
    assert float(ciede2000(a, b)) == pytest.approx(10 / sl, rel=1e-3)


def test_brightness_of_the_reference_is_never_taken_unasked() -> None:
    y = photo()
    dark = 0.25 * y
    assert float(psnr(match_mean(dark, y), y)) > 60 > 20 > float(psnr(dark, y))
    assert [n for n in MEASURES if "gt-mean" in n] == ["psnr-gt-mean", "ssim-gt-mean"]
    assert "not comparable" in MEASURES["psnr-gt-mean"].protocol and pick_measures([]) == {}


def test_set_distances_agree_with_torchmetrics() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(60, 8, generator=g), 0.7 * torch.randn(50, 8, generator=g) + 0.3

    class Flat(torch.nn.Module):
        num_features = 8

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :8]

    def pictures(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x, (0, 4)).view(-1, 3, 2, 2)

    fid = FrechetInceptionDistance(Flat(), normalize=False, input_img_size=(3, 2, 2))
    kid = KernelInceptionDistance(Flat(), subsets=1, subset_size=50, normalize=False)
    for metric in (fid, kid):
        metric.update(pictures(a[:50]), real=True)
        metric.update(pictures(b), real=False)
    ours = a[:50].numpy(), b.numpy()
    assert frechet_distance(*ours) == pytest.approx(float(fid.compute()), rel=1e-3)
    assert kernel_distance(*ours) == pytest.approx(float(kid.compute()[0]), rel=1e-3)
    assert frechet_distance(ours[0], ours[0]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(UsageError, match="two or more"):
        kernel_distance(ours[0][:1], ours[1])
    with pytest.raises(UsageError):
        kernel_distance(ours[0], ours[1][:1])
    assert np.isfinite(kernel_distance(ours[0][:2], ours[1][:2]))


def test_exposure_numbers_by_hand() -> None:
    x = torch.zeros(1, 3, 16, 32)
    x[..., 16:] = 1.0
    assert float(mean_luma(x)) == pytest.approx(0.5) and [float(v) for v in clipped(x)] == [0.5, 0.5]
    assert float(burnt_share(x)) == 0.5 and float(misexposure(x)) == pytest.approx(0.5)
    red = torch.tensor([0.6, 0.3, 0.3]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    grey = torch.full((1, 3, 8, 8), 0.4)
    assert float(colour_cast(0.5 * grey, grey)) < 0.01 and float(colour_cast(red, grey)) > 10
    flat = noisy(torch.full((1, 3, 64, 64), 0.3), 0.02)
    assert float(noise_gain(2 * flat, flat)) == pytest.approx(1, abs=0.08)
    assert float(noise_gain(x, x)) == 1.0
    still = 2 * torch.nn.functional.avg_pool2d(flat, 3, stride=1, padding=1, count_include_pad=False)
    assert float(noise_gain(still, flat)) < 0.6


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"lpips needs vgg16-397923af\.pth and lpips_weights\.pt in .*checkpoints"
    ):
        pick_measures(["niqe,lpips"])
    with pytest.raises(WeightsError, match=r"dists_weights\.pt"):
        MEASURES["dists"].function(photo(), photo())
    with pytest.raises(UsageError, match="unknown metric"):
        pick_measures(["niqee"])


def test_lpips_with_files_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files where torch keeps them are enough, no network: against the formula of the paper by hand."""
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in torchvision.models.vgg16().state_dict().items()}
    g = torch.Generator().manual_seed(0)
    state = {k: torch.zeros(1).expand(shape) for k, shape in shapes.items()}  # one number on disk each
    for key, shape in shapes.items():
        if key.startswith("features") and key.endswith("weight"):
            state[key] = (torch.randn(*shape[:2], 1, 1, generator=g) * (0.2 / shape[1]) ** 0.5).expand(shape)
    torch.save(state, folder / "vgg16-397923af.pth")
    heads = [torch.rand(1, c, 1, 1, generator=g) for c in (64, 128, 256, 512, 512)]
    torch.save(heads, folder / "lpips_weights.pt")
    y = photo()[..., 100:164, 200:280]
    x = noisy(y)
    maps = []
    for picture in (x, y):
        h = (picture - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
            [0.229, 0.224, 0.225]
        ).view(1, 3, 1, 1)
        found = []
        for i in range(30):
            if f"features.{i}.weight" in state:
                h = torch.relu(torch.nn.functional.conv2d(h, state[f"features.{i}.weight"], padding=1))
                if i in (2, 7, 14, 21, 28):
                    found.append(h / (h.norm(dim=1, keepdim=True) + 1e-10))
            elif i in (4, 9, 16, 23):
                h = torch.nn.functional.max_pool2d(h, 2)
        maps.append(found)
    parts = [(w * (a - b).square()).sum(1).mean() for w, a, b in zip(heads, *maps, strict=True)]
    assert float(MEASURES["lpips"].function(x, y)) == pytest.approx(float(sum(parts)), rel=1e-3)
    assert float(MEASURES["lpips"].function(y, y)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(WeightsError, match=r"dists needs dists_weights\.pt in"):
        pick_measures(["dists"])


def test_in_the_bench(samples: Path) -> None:
    result = run_bench(
        samples, degradations=["lowlight-gamma:severity=3"], models="gamma", limit=2,
        metrics=["ciede2000", "psnr-gt-mean"], sets="random-s4",
    )  # fmt: skip
    rows = {row["model"]: row for row in result.summary}
    assert rows["gamma"]["ciede2000"] < rows["input"]["ciede2000"]
    assert rows["input"]["psnr-gt-mean"] > rows["input"]["psnr"] and rows["gamma"]["frechet"] > 0
    text = result.markdown()
    assert "CIEDE2000" in text and "not comparable" in text and "set distances: random-s4" in text
    assert "--metric ciede2000,psnr-gt-mean --sets random-s4" in result.command
    assert {c.key for c in result.row_columns} <= result.rows[0].keys()
    assert bench_page(result).count(">CIEDE2000</button></th>") >= 2
