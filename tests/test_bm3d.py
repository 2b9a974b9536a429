"""BM3D against what is published and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import restore
from restore.classical.bm3d import bm3d
from restore.classical.transforms import biorthogonal_matrix, dct_matrix, haar_matrix
from restore.errors import UsageError


def noisy(clean: torch.Tensor, sigma: float, seed: int = 0) -> torch.Tensor:
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


def test_transforms_are_what_they_are_called() -> None:
    from scipy.fft import dct

    eye = np.eye(8)
    assert np.allclose(dct_matrix(8).numpy(), dct(eye, axis=0, norm="ortho"), atol=1e-6)
    for n in (1, 2, 16, 32):
        haar = haar_matrix(n)
        assert torch.allclose(haar @ haar.T, torch.eye(n), atol=1e-6)
    spline = biorthogonal_matrix(8)
    assert torch.allclose(spline.norm(dim=1), torch.ones(8)) and np.linalg.cond(spline.numpy()) < 3
    assert torch.allclose(spline[1:] @ torch.ones(8), torch.zeros(7), atol=1e-6)


# On this crop the authors' package gives 30.47 in colour at sigma 25 with this very noise.
@pytest.mark.parametrize(("channels", "least"), [(3, 30.3), (1, 28.8)])
def test_as_good_as_the_authors_package(photo_tensor: torch.Tensor, channels: int, least: float) -> None:
    clean = photo_tensor[..., 32:224, 96:288]
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    clean = clean if channels == 3 else (clean * luma).sum(1, keepdim=True)
    shape = (192, 192, 3)[: 3 if channels == 3 else 2]
    field = torch.from_numpy(np.random.default_rng(25).normal(size=shape)).float()
    x = clean + 25 / 255 * (field.permute(2, 0, 1)[None] if channels == 3 else field[None, None])
    y = bm3d(x, sigma=25 / 255)
    assert psnr(y, clean) > least
    assert psnr(y, clean) > psnr(bm3d(x, sigma=25 / 255, stages=1), clean)


def test_every_picture_alone(photo_tensor: torch.Tensor) -> None:
    clean = photo_tensor[..., :40, :56]
    x = noisy(clean.repeat(3, 1, 1, 1), 0.1)
    before = x.clone()
    y = bm3d(x, sigma=torch.tensor([0.1, 0.0, 0.2], dtype=torch.float64))
    assert torch.equal(x, before) and torch.equal(y[1], x[1])
    assert torch.equal(bm3d(x[2:], sigma=0.2), y[2:])
    assert torch.allclose(bm3d(x[:1] * 0.5 + 0.25, sigma=0.05).mean(), 0.5 * y[:1].mean() + 0.25, atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 17), (8, 8), (9, 40)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_tiny_pictures(size: tuple[int, int], channels: int) -> None:
    y = bm3d(torch.rand(1, channels, *size), sigma=0.1)
    assert y.shape == (1, channels, *size) and bool(torch.isfinite(y).all())
    flat = bm3d(torch.full((1, channels, *size), 0.5), sigma=0.1)
    assert torch.allclose(flat, torch.full_like(flat, 0.5), atol=1e-5)


def test_windows_equal_the_whole(photo_tensor: torch.Tensor) -> None:
    x = noisy(photo_tensor[..., 100:150, :].mean(1, keepdim=True), 0.1)
    whole = restore.load("bm3d:sigma=25.5")(x)
    tiled = restore.load("bm3d:sigma=25.5", tile=129)(x)
    assert torch.allclose(whole, bm3d(x, sigma=0.1), atol=1e-6)
    # Equal but for coefficients that lie on the threshold within rounding.
    off = (whole - tiled).abs()
    assert float(off.max()) < 2e-3 and float((off > 1e-4).float().mean()) < 0.01


def test_refusals() -> None:
    with pytest.raises(UsageError, match="each of 2"):
        bm3d(torch.rand(2, 1, 8, 8), sigma=torch.tensor([0.1, 0.1, 0.1]))
    with pytest.raises(UsageError, match="0 or more"):
        bm3d(torch.rand(2, 1, 8, 8), sigma=-0.1)
