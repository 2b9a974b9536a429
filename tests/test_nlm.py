"""Non-local means on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from skimage.restoration import denoise_nl_means
from torch import Tensor

from restore.classical.denoise import nlm
from restore.errors import UsageError
from restore.image import array_to_tensor


def noisy(clean: Tensor, sigma: float) -> Tensor:
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_goes_and_pictures_do_not_mix(channels: int) -> None:
    sigma = 25 / 255
    clean = array_to_tensor(data.astronaut()[:80, 160:240])[:, :channels].repeat(2, 1, 1, 1)
    x = noisy(clean, sigma)
    before = x.clone()
    y = nlm(x, sigma=torch.tensor([sigma, 0.0], dtype=torch.float64))
    assert torch.equal(x, before) and y.shape == x.shape and y.dtype == x.dtype
    assert psnr(y[0], clean[0]) > psnr(x[0], clean[0]) + 6
    assert torch.equal(y[1], x[1])
    assert torch.equal(nlm(x[:1], sigma=sigma), y[:1])
    theirs = denoise_nl_means(
        x[0].permute(1, 2, 0).numpy(),
        patch_size=5,
        patch_distance=6,
        h=0.6 * sigma,
        sigma=sigma,
        fast_mode=True,
        channel_axis=-1,
    )
    assert np.array_equal(y[0].permute(1, 2, 0).numpy(), theirs.reshape(80, 80, channels))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    y = nlm(torch.rand(1, 3, *size), sigma=0.1)
    assert y.shape == (1, 3, *size) and bool(torch.isfinite(y).all())


def test_refusals() -> None:
    x = torch.rand(2, 3, 8, 8)
    with pytest.raises(UsageError, match="each of 2"):
        nlm(x, sigma=torch.tensor([0.1, 0.1, 0.1]))
    with pytest.raises(UsageError, match="0 or more"):
        nlm(x, sigma=-0.1)
