"""Metrics against independent implementations, published relations, and by hand."""

from __future__ import annotations

import math

import numpy as np
import piq
import pytest
import skimage.color
import skimage.data
import skimage.metrics
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from restore.errors import ImageError, UsageError
from restore.image import array_to_tensor, to_grey, to_y601
from restore.metrics import psnr, psnr_y, ssim, ssim_y


@pytest.fixture(params=["rgb", "grey"])
def images(request: pytest.FixtureRequest) -> tuple[torch.Tensor, torch.Tensor]:
    """Two noisy pictures 70 x 90 and their references: part of a photograph, and a flat bright one."""
    photo = array_to_tensor(skimage.data.astronaut()[100:170, 200:290])
    clean = torch.cat([photo, 0.9 + 0.05 * photo]).double()
    if request.param == "grey":
        clean = to_grey(clean)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (clean + torch.tensor([0.1, 0.003]).view(2, 1, 1, 1) * noise).clamp(0, 1), clean


@pytest.mark.parametrize("border", [0, 4])
def test_psnr_agrees_with_scikit_image_and_torchmetrics(images, border):
    x, y = images
    scores = psnr(x, y, border=border)
    assert scores.shape == (2,) and scores.dtype == torch.float64
    for i, score in enumerate(scores.tolist()):
        a, b = (v[i, :, border : 70 - border, border : 90 - border] for v in (x, y))
        theirs = skimage.metrics.peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=1.0)
        assert score == pytest.approx(theirs, abs=1e-8)
        assert score == pytest.approx(float(peak_signal_noise_ratio(a, b, data_range=1.0)), abs=1e-4)


@pytest.mark.parametrize("border", [0, 4])
def test_ssim_agrees_with_scikit_image_torchmetrics_and_piq(images, border):
    x, y = images
    for i, score in enumerate(ssim(x, y, border=border).tolist()):
        a, b = (v[i : i + 1, :, border : 70 - border, border : 90 - border] for v in (x, y))
        theirs = skimage.metrics.structural_similarity(
            a[0].numpy(),
            b[0].numpy(),
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )
        assert score == pytest.approx(theirs, abs=1e-8)
        # torchmetrics averages a reflected border too; its map agrees where the window lies inside the image.
        _, whole = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
        assert score == pytest.approx(float(whole[..., 5:-5, 5:-5].mean()), abs=1e-4)
        assert score == pytest.approx(float(piq.ssim(a, b, data_range=1.0, downsample=False)), abs=1e-4)


def test_ssim_of_one_window_by_hand():
    """An 11 x 11 picture has one place for the window: the formula of the paper, with numpy."""
    g = torch.Generator().manual_seed(1)
    x, y = (torch.rand(1, 1, 11, 11, generator=g, dtype=torch.float64) for _ in range(2))
    one = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(one, one) / one.sum() ** 2
    a, b = x[0, 0].numpy(), y[0, 0].numpy()
    ma, mb = (weights * a).sum(), (weights * b).sum()
    va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
    cov = (weights * (a - ma) * (b - mb)).sum()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert float(ssim(x, y)) == pytest.approx(expected, abs=1e-9)


def test_luma_scores_are_those_of_studio_luma(images):
    x, y = images
    lumas = [studio_luma(v) for v in (x, y)]
    assert torch.allclose(psnr_y(x, y, border=2), psnr(*lumas, border=2), atol=1e-6)
    assert torch.allclose(ssim_y(x, y, border=2), ssim(*lumas, border=2), atol=1e-8)


def studio_luma(x: torch.Tensor) -> torch.Tensor:
    """scikit-image's, which is MATLAB's ``rgb2ycbcr``."""
    rgb = x.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return torch.from_numpy(skimage.color.rgb2ycbcr(rgb)[..., 0] / 255)[:, None]


def test_studio_luma_is_that_of_scikit_image_from_16_to_235(images):
    x, _ = images
    assert torch.allclose(to_y601(x), studio_luma(x), atol=1e-12)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1)
    for channels in (1, 3):
        luma = to_y601(ends.expand(2, channels, 1, 1)).flatten() * 255
        assert luma.tolist() == pytest.approx([16, 235])


def test_studio_range_is_worth_1_32_db_on_grey(images):
    x, y = (to_grey(v) for v in images)
    gain = psnr_y(x, y) - psnr(x, y)
    assert torch.allclose(gain, torch.full((2,), 20 * math.log10(255 / 219), dtype=torch.float64), atol=1e-5)


def test_gaussian_noise_has_the_psnr_of_its_sigma():
    """Noise of 25/255 is 20.17 dB, whatever the picture, as long as nothing is clipped."""
    noise = torch.randn(1, 3, 400, 400, generator=torch.Generator().manual_seed(3)) * 25 / 255
    assert float(psnr(0.9 + noise, torch.full((1, 3, 400, 400), 0.9))) == pytest.approx(20.17, abs=0.02)


def test_identical_images():
    x = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    assert psnr(x, x).tolist() == [math.inf, math.inf]
    assert ssim(x, x).tolist() == pytest.approx([1.0, 1.0])


def test_images_of_a_batch_are_scored_alone(images):
    x, y = images
    for metric in (psnr, psnr_y, ssim, ssim_y):
        alone = torch.cat([metric(x[i : i + 1], y[i : i + 1]) for i in range(2)])
        assert torch.equal(metric(x, y), alone)


def test_below_eleven_pixels_ssim_is_not_defined():
    x = torch.rand(1, 3, 10, 40, generator=torch.Generator().manual_seed(0))
    assert math.isnan(float(ssim(x, x * 0.5)))
    assert math.isnan(float(ssim(torch.zeros(1, 1, 14, 14), torch.ones(1, 1, 14, 14), border=2)))
    assert math.isfinite(float(psnr(x, x * 0.5)))
    assert math.isfinite(float(ssim(torch.zeros(1, 1, 11, 11), torch.ones(1, 1, 11, 11))))


@pytest.mark.parametrize("metric", [psnr, psnr_y, ssim, ssim_y])
def test_wrong_input_is_refused_in_words(metric):
    x = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ImageError, match="one shape"):
        metric(x, x[..., :-1])
    with pytest.raises(ImageError, match="finite"):
        metric(x, torch.full_like(x, math.nan))
    with pytest.raises(UsageError, match="border"):
        metric(x, x, border=10)
