"""Noise of sensors and of film, and faults of photosites, against their formulas."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy.stats import poisson
from torch import Tensor

from restore.degradations import degradation
from restore.degradations.counts import poisson_counts
from restore.degradations.demosaic import demosaic, mosaic
from restore.degradations.sensor import grain

SIDE = 512


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_on(text: str, level: float, *, channels: int = 1, side: int = SIDE) -> Tensor:
    """What is added to a flat picture, ``C x H x W``."""
    flat = torch.full((1, channels, side, side), level)
    return (degradation(text)(flat, generator=generator(3))[0] - flat)[0]


def lagged(field: Tensor, rows: int, columns: int) -> float:
    """The correlation of a plane with itself moved."""
    h, w = field.shape
    a, b = field[: h - rows, : w - columns].flatten(), field[rows:, columns:].flatten()
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_variances_are_those_of_the_formulas(level: float) -> None:
    expected = {
        "noise:sigma=25": (25 / 255) ** 2,
        "poisson-gaussian:shot=0.01,read=0.001": 0.01 * level + 0.001,
        "speckle:sigma=0.2": (0.2 * level) ** 2,
        "film-grain:sigma=20,size=0.6": (20 / 255) ** 2 * 4 * level * (1 - level),
        "correlated-noise:sigma=20,size=1": (20 / 255) ** 2,
        "gaussian_noise:sigma=0.02": 0.02**2,
    }
    for text, variance in expected.items():
        noise = noise_on(text, level)
        assert float(noise.var()) == pytest.approx(variance, rel=0.02), text
        assert float(noise.mean()) == pytest.approx(0, abs=4 * (variance * 8) ** 0.5 / SIDE), text


def test_grain_is_correlated_as_its_gaussian_says() -> None:
    for size in (0.8, 1.5):
        field = grain(5, (1, 600, 600), size)[0]
        assert float(field.std()) == pytest.approx(1, abs=0.02)
        # The autocorrelation of white noise behind a Gaussian of sigma s is a Gaussian of sigma s sqrt(2).
        for step in (1, 2):
            assert lagged(field, 0, step) == pytest.approx(np.exp(-(step**2) / (4 * size**2)), abs=0.02)
            assert lagged(field, step, step) == pytest.approx(np.exp(-(step**2) / (2 * size**2)), abs=0.02)


def test_channels_share_a_field_or_do_not() -> None:
    for name in ("noise:sigma=20", "correlated-noise:sigma=20", "film-grain:sigma=20", "line-noise:sigma=10"):
        grey = noise_on(f"{name},channels=grey", 0.5, channels=3)
        assert torch.allclose(grey[0], grey[1], atol=1e-6) and torch.allclose(grey[0], grey[2], atol=1e-6)
        each = noise_on(f"{name},channels=each", 0.5, channels=3)
        assert abs(float(torch.corrcoef(each.flatten(1))[0, 1])) < 0.1
    mixed = noise_on("channel-noise:severity=3", 0.5, channels=3).flatten(1)
    covariance = torch.cov(mixed)
    assert bool((torch.linalg.eigvalsh(covariance) > -1e-8).all())
    off = covariance - covariance.diagonal().diag()
    assert float(off.abs().max()) > 0.05 * float(covariance.diagonal().max()), "channels are correlated"


def test_banding_is_one_error_per_line() -> None:
    rows = noise_on("line-noise:sigma=10,axis=rows", 0.5)[0]
    assert float(rows.std(1).max()) < 1e-6 and float(rows[:, 0].std()) == pytest.approx(10 / 255, rel=0.1)
    columns = noise_on("line-noise:sigma=10,axis=columns", 0.5)[0]
    assert float(columns.std(0).max()) < 1e-6
    both = noise_on("line-noise:sigma=10,axis=both", 0.5)[0]
    assert float(both.std()) == pytest.approx(10 / 255, rel=0.1)
    # A sum of lines and columns: every rectangle's corners cancel.
    assert float((both[:-1, :-1] - both[1:, :-1] - both[:-1, 1:] + both[1:, 1:]).abs().max()) < 1e-5


def test_impulses_and_dead_photosites_have_their_shares() -> None:
    x = torch.full((1, 3, SIDE, SIDE), 0.5)
    y = degradation("impulse:amount=0.1,salt=0.3")(x, generator=generator(1))[0]
    assert [float((y == v).float().mean()) for v in (0, 1)] == pytest.approx([0.07, 0.03], abs=1e-3)
    whole = degradation("impulse:amount=0.1,channels=grey")(x, generator=generator(1))[0]
    assert torch.equal(whole[:, 0], whole[:, 1]) and torch.equal(whole[:, 0], whole[:, 2])
    y = degradation("dead-pixels:amount=0.001,hot=1")(x, generator=generator(2))[0]
    hit = (y != x).sum((0, 2, 3))
    assert int(hit.sum()) == pytest.approx(0.001 * SIDE**2, rel=0.02) and int(hit.min()) > 50
    assert bool((y[y != x] == 1).all())
    more = degradation("dead-pixels:amount=0.002,hot=1")(x, generator=generator(2))[0]
    assert bool((more[y != x] == 1).all()), "the same seed hits the same places and more"


@pytest.mark.parametrize("rate", [0.1, 0.9, 3.6, 17.3, 64.0, 150.5])
def test_counts_by_tables_follow_poissons_law(rate: float) -> None:
    drawn = poisson_counts(torch.full((200_000,), rate), seed=7).numpy()
    assert np.array_equal(drawn, drawn.round()) and drawn.min() >= 0
    reach = np.arange(int(rate + 6 * rate**0.5) + 4)
    seen = np.bincount(drawn.astype(int), minlength=len(reach))[: len(reach)].cumsum() / len(drawn)
    # Kolmogorov-Smirnov at the level of one in a million.
    assert np.abs(seen - poisson.cdf(reach, rate)).max() < 2.7 / len(drawn) ** 0.5


def test_demosaicing_is_opencvs_inside_and_exact_on_flat_colours() -> None:
    x = torch.rand((1, 3, 40, 52), generator=generator(4))
    plane = mosaic(x)
    raw = (plane[0, 0].numpy() * 255).round().astype(np.uint8)
    wanted = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB).astype(np.float32)
    made = demosaic(torch.from_numpy(raw)[None, None].float(), kind="bilinear")[0].permute(1, 2, 0).numpy()
    assert np.abs(made - wanted)[2:-2, 2:-2].max() <= 1  # OpenCV rounds
    flat = torch.tensor([0.2, 0.5, 0.8]).view(1, 3, 1, 1).expand(1, 3, 30, 31)
    for kind in ("bilinear", "malvar"):
        y = degradation(f"demosaic:amount=1,kind={kind}")(flat.clone(), generator=generator())[0]
        assert torch.allclose(y, flat, atol=1e-6)
    # A plane of the same slope in all channels comes back too, away from the border.
    ramp = torch.linspace(0, 1, 40).expand(1, 3, 40, 40).contiguous()
    for kind in ("bilinear", "malvar"):
        y = degradation(f"demosaic:amount=1,kind={kind}")(ramp, generator=generator())[0]
        assert torch.allclose(y[..., 3:-3, 3:-3], ramp[..., 3:-3, 3:-3], atol=1e-5)


def test_without_shot_noise_light_is_left_alone() -> None:
    """Also beside a sample that has some: each has its own gain."""
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    quiet, params = degradation("poisson-gaussian:shot=0.01,read=0")(
        x, generator=torch.Generator().manual_seed(1)
    )
    assert not torch.equal(quiet, x)
    params.values["shot"][0] = 0
    made = degradation("poisson-gaussian").apply(x, params)
    assert torch.equal(made[0], x[0]) and torch.equal(made[1], quiet[1])
