"""Training-free methods: each does what it is called, on photographs, and behind the face of a restorer."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore.classical.back_projection import back_projection
from restore.classical.blind_deblur import blind_deblur
from restore.classical.clahe import clahe
from restore.classical.deconvolve import richardson_lucy, unsupervised_wiener, wiener
from restore.classical.dehaze import dehaze
from restore.classical.dejpeg import dejpeg, find_quality
from restore.classical.derain import derain
from restore.classical.dictionary import learn_dictionary, omp
from restore.classical.guided import box_mean, box_min, guided_filter
from restore.classical.inpaint import biharmonic, navier_stokes, telea
from restore.classical.local import median
from restore.classical.lowlight import equalize, gamma, lime
from restore.classical.sliding_dct import sliding_dct
from restore.classical.sparse_gradients import shrink, sparse_deconvolve
from restore.classical.underwater import underwater, white_balance
from restore.classical.upscale import upscale
from restore.classical.variation import tikhonov
from restore.classical.wavelet import daubechies, join, split
from restore.convolve import convolve
from restore.degradations.psf import gaussian_psf, motion_psf
from restore.errors import UsageError
from restore.resample import imresize
from restore.restorers.classical import METHODS_TABLE


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


def noise(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def crop(photo_tensor: torch.Tensor) -> torch.Tensor:
    return photo_tensor[..., 60:156, 140:236].contiguous()


# Least gain in decibels over the noisy picture at sigma 25.
@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("bm3d", 9.3),
        ("nlm", 7.5),
        ("tv", 6.5),
        ("tikhonov", 6.5),
        ("sliding-dct", 8.5),
        ("wavelet", 8.5),
        ("ksvd", 8.5),
        ("learned-transform", 8),
        ("bilateral", 7),
        ("median", 5),
    ],
)
def test_denoisers(crop: torch.Tensor, name: str, gain: float) -> None:
    x = crop + 25 / 255 * noise(crop.shape)
    values = {} if name == "median" else {"sigma": 25}
    y = restore.load(name, **values)(x)
    assert psnr(y, crop) > psnr(x, crop) + gain
    small = (slice(None), slice(0, 1), slice(0, 48), slice(0, 48))
    grey = restore.load(name, **values)(x[small])
    assert grey.shape == x[small].shape and psnr(grey, crop[small]) > psnr(x, crop) + gain - 3
    if name != "median":
        assert torch.equal(restore.load(name, sigma=0)(x), x)


@pytest.mark.parametrize("name", [n for n, m in METHODS_TABLE.items() if n != "blind-deblur"])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (17, 12)])
def test_any_size(name: str, size: tuple[int, int]) -> None:
    takes = METHODS_TABLE[name].options
    given = {"sigma": 10, "scale": 2, "blur": 0.8}
    net = restore.load(name, **{k: v for k, v in given.items() if k in takes})
    mask = torch.zeros(size) if net.spec.mask else None
    y = net(torch.rand(1, 3, *size), mask=mask)
    assert y.shape[-2:] == tuple(n * net.spec.scale for n in size) and bool(torch.isfinite(y).all())


def test_values_are_checked() -> None:
    for name, message in [
        ("wiener", "point spread"),
        ("tv:weight=-1", "0 or more"),
        ("ksvd:coding=ompp", "coding"),
        ("bm3d:stages=1.5", "whole number"),
        ("clahe:sigma=3", "takes no"),
    ]:
        with pytest.raises(UsageError, match=message):
            restore.load(name)


def test_tikhonov_solves_its_equation(crop: torch.Tensor) -> None:
    x = crop.double().float()
    z = tikhonov(x, sigma=0.1, weight=2.0).double()
    framed = torch.nn.functional.pad(z, (1, 1, 1, 1), mode="replicate")
    laplacian = (
        framed[..., 2:, 1:-1]
        + framed[..., :-2, 1:-1]
        + framed[..., 1:-1, 2:]
        + framed[..., 1:-1, :-2]
        - 4 * z
    )
    assert torch.allclose(z - 2.0 * laplacian, x.double(), atol=1e-5)


def test_wavelets_are_orthonormal() -> None:
    # Daubechies 1988, table 1: N = 2.
    want = np.array([1 + 3**0.5, 3 + 3**0.5, 3 - 3**0.5, 1 - 3**0.5]) / (4 * 2**0.5)
    assert np.allclose(np.abs(daubechies(2)), np.abs(want)) or np.allclose(daubechies(2), want[::-1])
    x = torch.rand(2, 6, 32, dtype=torch.float64)
    low, high = split(x, daubechies(4), -1)
    assert torch.allclose((low**2 + high**2).sum(), (x**2).sum())
    assert torch.allclose(join(low, high, daubechies(4), -1), x)
    ramp = torch.arange(64, dtype=torch.float64)[None] ** 3
    assert float(split(ramp, daubechies(4), -1)[1][:, :28].abs().max()) < 1e-6


def test_omp_finds_a_sparse_code() -> None:
    g = torch.Generator().manual_seed(0)
    atoms = torch.randn(40, 30, generator=g)
    atoms = atoms / atoms.norm(dim=1, keepdim=True)
    codes = torch.zeros(5, 40)
    codes[torch.arange(5), torch.arange(5) * 7] = 2.0
    codes[torch.arange(5), torch.arange(5) * 3 + 11] = -1.0
    assert torch.allclose(omp(codes @ atoms, atoms, error=1e-8, most=6), codes, atol=1e-4)


def test_deconvolution(crop: torch.Tensor) -> None:
    sigma, psf = 2 / 255, motion_psf(20.0, seed=3)  # not symmetric: a flipped psf would fail
    x = convolve(crop, psf) + sigma * noise(crop.shape)
    for gain, y in [
        (1.3, wiener(x, psf, sigma=sigma)),
        (2, unsupervised_wiener(x, psf)),
        (2, richardson_lucy(x, psf)),
        (2, sparse_deconvolve(x, psf, sigma=sigma)),
        (1.5, sparse_deconvolve(x, psf, sigma=sigma, power=1)),
    ]:
        assert psnr(y, crop) > psnr(x, crop) + gain
    named = restore.load("hyper-laplacian:blur=1.5,sigma=2")
    soft = convolve(crop, gaussian_psf(1.5))
    assert torch.allclose(named(soft), sparse_deconvolve(soft, gaussian_psf(1.5), sigma=sigma), atol=1e-5)
    with pytest.raises(UsageError, match="odd sides"):
        wiener(x, torch.ones(2, 2))


def test_shrinkage_is_the_minimum() -> None:
    v = torch.linspace(-2, 2, 41)
    w = torch.linspace(-2, 2, 4001)
    cost = w.abs() ** (2 / 3) + 4 / 2 * (w - v[:, None]) ** 2
    assert torch.allclose(shrink(v, 4.0, 2 / 3), w[cost.argmin(1)], atol=2e-3)


def test_blind_deblurring_finds_the_psf(samples: Path) -> None:
    pixels = np.asarray(Image.open(samples / "astronaut.png").convert("RGB"))[64:256, 64:256]
    clean = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    true = motion_psf(20.0, seed=3).float()
    x = convolve(clean, true) + 2 / 255 * noise(clean.shape)
    image, found, agreement = blind_deblur(x, size=25)
    assert agreement.shape == (1,) and float(agreement) > 0.85
    assert image.shape == x.shape and torch.allclose(found.sum((1, 2)), torch.ones(1))
    frame = torch.zeros(25, 25)
    r = true.shape[0] // 2
    frame[12 - r : 13 + r, 12 - r : 13 + r] = true
    assert float((found[0] * frame).sum() / found.norm() / frame.norm()) > 0.5
    assert psnr(image, clean) > psnr(x, clean) + 0.5


def test_blind_deblurring_leaves_alone_what_it_is_not_sure_of(samples: Path) -> None:
    pixels = np.asarray(Image.open(samples / "coffee.png").convert("RGB"))[40:200, 100:260]
    sharp = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    both = torch.cat([sharp, 0.5 + 0.05 * noise(sharp.shape)])
    found = blind_deblur(both)
    assert torch.equal(found.image, both) and found.psf[:, 12, 12].tolist() == [1, 1]
    assert float(found.psf.sum()) == 2
    forced = blind_deblur(sharp, agreement=0)
    assert not torch.equal(forced.image, sharp) and float(forced.psf[0].max()) < 1


def test_light(crop: torch.Tensor) -> None:
    dark = crop**2.2 * 0.3
    for y in (gamma(dark), equalize(dark), lime(dark), clahe(dark)):
        assert float(y.mean()) > float(dark.mean()) + 0.05
    assert psnr(gamma(crop**2, gamma=0.5), crop) > 60
    flat = equalize(dark[:, :1]).flatten().sort().values
    assert float((flat - torch.linspace(0, 1, len(flat))).abs().max()) < 0.03


# Without a clip on tiles of any size; with one where tiles are so large that spreading in whole pixels is as even.
@pytest.mark.parametrize(
    ("height", "width", "tiles", "clip"),
    [(96, 64, 8, 1e3), (93, 61, 8, 1e3), (28, 28, 8, 1e3), (256, 256, 2, 2.0), (255, 251, 2, 2.0)],
)
def test_clahe_is_opencvs_on_8_bits_and_smooth_on_more(
    crop: torch.Tensor, height: int, width: int, tiles: int, clip: float
) -> None:
    grey = (crop[:, 1:2].repeat(1, 1, 2, 2)[..., :height, :width] * 200).round().to(torch.uint8)
    theirs = cv2.createCLAHE(clip, (tiles, tiles)).apply(grey[0, 0].numpy())
    ours = clahe(grey.float() / 255, clip=clip, tiles=tiles)[0, 0] * 255
    off = (ours - torch.from_numpy(theirs).float()).abs()
    assert float(off.mean()) < 0.6 and float(off.max()) < 4
    ramp = torch.linspace(0.2, 0.7, 4096).view(1, 1, 1, -1).expand(-1, -1, 16, -1)
    assert len(clahe(ramp, tiles=1).unique()) > 2000


def test_guided_filter_keeps_what_the_guide_says(crop: torch.Tensor) -> None:
    line = 0.2 + 0.5 * crop[:, :1] - 0.3 * crop[:, 1:2]
    assert torch.allclose(guided_filter(line, crop, radius=5, eps=1e-9).float(), line, atol=1e-3)
    flat = torch.full_like(line, 0.5)
    smooth = guided_filter(line, flat, radius=3, eps=1e-2).float()
    assert torch.allclose(smooth, box_mean(box_mean(line, 3), 3), atol=1e-4)
    x = torch.rand(1, 1, 9, 11)
    assert float(box_min(x, 2)[0, 0, 4, 5]) == float(x[0, 0, 2:7, 3:8].min())


def test_haze_goes(photo_tensor: torch.Tensor) -> None:
    clean, light = photo_tensor[..., 20:220, 80:320] ** 1.5, torch.tensor([0.85, 0.88, 0.9]).view(1, 3, 1, 1)
    depth = torch.linspace(1, 0, 200).view(1, 1, 200, 1).expand(1, 1, 200, 240)
    t = torch.exp(-2.5 * depth)
    hazy = clean * t + light * (1 - t)
    out = dehaze(hazy)
    assert psnr(out.image, clean) > psnr(hazy, clean) + 3
    assert float((out.airlight - light.flatten()).abs().max()) < 0.12
    assert float(torch.corrcoef(torch.stack([out.transmission.flatten(), t.flatten()]))[0, 1]) > 0.8


def test_water_loses_its_cast(photo_tensor: torch.Tensor) -> None:
    sea = photo_tensor * torch.tensor([0.3, 0.8, 0.9]).view(1, 3, 1, 1)
    for y in (white_balance(sea), underwater(sea)):
        means = y.mean((0, 2, 3))
        assert float(means.max() - means.min()) < 0.06
    assert float(underwater(sea).std()) > 1.2 * float(sea.std())


def test_rain_goes(photo_tensor: torch.Tensor) -> None:
    g = torch.Generator().manual_seed(0)
    drops = (torch.rand(1, 1, *photo_tensor.shape[-2:], generator=g) > 0.997).float()
    streaks = sum(drops.roll(i, -2) for i in range(18)).clamp(max=1) * 0.35
    rainy = photo_tensor + streaks
    assert psnr(derain(rainy), photo_tensor) > psnr(rainy, photo_tensor) + 1.5
    assert psnr(derain(photo_tensor), photo_tensor) > 30


def test_blocks_go(photo: np.ndarray) -> None:
    clean = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    for quality in (10, 40):
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=quality)
        pixels = np.asarray(Image.open(file))
        assert abs(find_quality(pixels) - quality) <= 1
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        assert psnr(dejpeg(x), clean) > psnr(x, clean) + 0.25
    assert torch.equal(dejpeg(clean), clean)


def test_one_shift_is_the_picture_compressed_once_again(photo: np.ndarray) -> None:
    part = photo[:48, :64]
    file = io.BytesIO()
    Image.fromarray(np.pad(part, ((8, 8), (8, 8), (0, 0)), mode="edge")).save(
        file, "JPEG", quality=30, subsampling=0
    )
    again = np.asarray(Image.open(file))[8:-8, 8:-8]
    x = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float() / 255
    made = dejpeg(x, quality=30, shifts=1)
    assert np.abs(made[0].permute(1, 2, 0).numpy() * 255 - again).max() < 1e-3
    for wrong in ({"shifts": 0}, {"shifts": 9}, {"quality": 0}, {"quality": 101}):
        with pytest.raises(UsageError):
            dejpeg(x, **wrong)
    assert torch.isfinite(dejpeg(x, quality=1, shifts=8)).all()
    assert torch.equal(dejpeg(x, quality=100), x), "a quality of 100 leaves nothing to undo"


def test_published_settings_are_the_defaults() -> None:
    from inspect import signature

    published = {
        (sliding_dct, "block"): 16,  # Yu & Sapiro 2011: 16 x 16 patches,
        (sliding_dct, "threshold"): 3.0,  # cut at 3 sigma
        (clahe, "tiles"): 8,  # Zuiderveld 1994
    }
    for (function, name), value in published.items():
        assert signature(function).parameters[name].default == value, (function.__name__, name)


@pytest.mark.parametrize("method", [equalize, clahe, lime])
def test_values_outside_the_range_count_as_its_ends(method, crop: torch.Tensor) -> None:
    """Unclipped noise is legal: what it does to one pixel must not change what is done to all others."""
    x = 1.6 * crop.mean(1, keepdim=True) - 0.3
    inside = (x >= 0) & (x <= 1)
    assert 0.2 < float(inside.float().mean()) < 0.99
    made, cut = method(x), method(x.clamp(0, 1))
    assert torch.isfinite(made).all() and torch.allclose(made[inside], cut[inside], atol=1e-5)


def test_lime_divides_by_a_smooth_picture_of_the_light() -> None:
    dark = torch.full((1, 3, 24, 24), 0.2)
    dark[..., 12:] = 0.5
    assert torch.allclose(lime(dark, gamma=1.0)[..., :6], torch.tensor(1.0), atol=0.05)
    assert torch.allclose(lime(dark, gamma=0.0), dark)
    assert torch.isfinite(lime(torch.zeros(1, 3, 8, 8))).all()


def test_median_of_one_pixel_and_even_sides() -> None:
    x = torch.rand(1, 3, 7, 9)
    alone = median(x, size=1)
    assert torch.equal(alone, x) and alone.data_ptr() != x.data_ptr()
    for size in (0, 2, -1):
        with pytest.raises(UsageError, match="odd size"):
            median(x, size=size)


def test_an_atom_that_nobody_uses_becomes_what_is_described_worst() -> None:
    g = torch.Generator().manual_seed(0)
    first = torch.nn.functional.normalize(torch.randn(2, 6, generator=g), dim=1)
    away = torch.zeros(1, 6)
    away[0, 5] = 1.0
    y = torch.cat([2 * first[:1].repeat(5, 1), 3 * away])
    atoms = torch.stack([first[0], -first[0] + 1e-4 * first[1], first[1]])
    learned = learn_dictionary(y, torch.nn.functional.normalize(atoms, dim=1), error=1e-6, rounds=3, most=1)
    assert torch.allclose(learned.norm(dim=1), torch.ones(3), atol=1e-4)
    assert float((learned @ away[0]).abs().max()) > 0.99


def test_holes_are_filled(crop: torch.Tensor) -> None:
    mask = torch.zeros_like(crop[:, :1])
    mask[..., 20:26, 30:60] = 1
    mask[..., 60:64, :] = 1
    broken = torch.where(mask > 0, torch.ones_like(crop), crop)
    for fill in (telea, navier_stokes, biharmonic):
        y = fill(broken, mask)
        assert torch.equal(y[mask.expand_as(y) == 0], crop[mask.expand_as(y) == 0])
        assert psnr(y, crop) > psnr(broken, crop) + 10
    with pytest.raises(UsageError, match="1 x 1 x"):
        telea(broken, mask[:, 0])


def test_back_projection_agrees_with_what_is_given(crop: torch.Tensor) -> None:
    small = imresize(crop, scale=0.5)
    y = back_projection(small, scale=2)
    assert psnr(imresize(y, scale=0.5), small) > psnr(imresize(upscale(small, 2), scale=0.5), small) + 10
    assert psnr(y, crop) > psnr(upscale(small, 2), crop)
    assert torch.allclose(back_projection(crop, scale=1), crop, atol=1e-6)
    assert torch.equal(back_projection(small, scale=2, iterations=0), upscale(small, 2))
    half = back_projection(small, scale=2, iterations=1, step=0.5) - upscale(small, 2)
    assert torch.allclose(
        2 * half, back_projection(small, scale=2, iterations=1) - upscale(small, 2), atol=1e-6
    )
    for wrong in ({"scale": 0}, {"scale": 2, "iterations": -1}):
        with pytest.raises(UsageError):
            back_projection(crop, **wrong)
