"""The measurements of a picture: against what was done to it, their intervals, their cost, and odd pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore.diagnosis.measure import FEATURES, QUANTITIES, as_features, measure_picture
from restore.diagnosis.measurement import Measurement
from restore.files.jpeg import tables_of

SAMPLES = Path(__file__).parent.parent / "restore" / "samples"
PHOTOS = ("astronaut", "cat", "coffee", "rocket")


def picture(name: str) -> torch.Tensor:
    pixels = np.array(Image.open(SAMPLES / f"{name}.png").convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def measure(x: torch.Tensor, tables: object = None) -> dict[str, Measurement]:
    return measure_picture(lambda t, b, le, r: x[..., t:b, le:r], *x.shape[-2:], tables)  # type: ignore[arg-type]


def coded(x: torch.Tensor, quality: int) -> tuple[torch.Tensor, object]:
    file = io.BytesIO()
    pixels = (x[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    image = Image.open(file)
    tables = tables_of(image)[0]
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255, tables


@pytest.mark.parametrize("name", PHOTOS)
def test_intervals_enclose_their_values_and_features_are_finite(name: str) -> None:
    found = measure(picture(name))
    assert tuple(found) == QUANTITIES
    for m in found.values():
        assert m.lower <= m.value + 1e-9 and m.value <= m.upper + 1e-9, m
    features = as_features(found)
    assert features.shape == (FEATURES,) and bool(torch.isfinite(features).all())


@pytest.mark.parametrize("sigma", [10, 20, 40])
def test_white_noise_is_measured_and_clean_pictures_have_none(sigma: int) -> None:
    held = 0
    for seed, name in enumerate(PHOTOS):
        x = picture(name)
        assert measure(x)["noise level"].lower < 2
        noisy, _ = restore.degrade(x, f"noise:sigma={sigma}", seed=seed)
        true = 255 * float((((noisy.clamp(0, 1) * 255).round() / 255) - x).std())
        m = measure(noisy)["noise level"]
        assert m.lower > sigma / 4 and true / 1.7 < m.value < 1.7 * true, m
        held += m.lower <= true <= m.upper
    assert held >= 3


@pytest.mark.parametrize("quality", [15, 40, 70, 90])
def test_jpeg_quality_is_read_off_the_pixels(quality: int) -> None:
    for name in PHOTOS:
        x = picture(name)
        assert measure(x)["JPEG quality"].value == 100
        y, tables = coded(x, quality)
        for shown in (y, y[..., 3:, 5:]):
            m = measure(shown)["JPEG quality"]
            assert abs(m.value - quality) <= 1 and m.lower <= quality <= m.upper, (name, m)
        certain = measure(y, tables)["JPEG quality"]
        assert certain.lower == certain.value == certain.upper == quality
        halved = torch.nn.functional.avg_pool2d(y, 2)
        assert measure(halved)["JPEG quality"].value == 100


def test_what_is_exactly_flat_has_no_noise_blur_or_coding() -> None:
    for value in (0.0, 0.3, 1.0):
        found = measure(torch.full((1, 3, 96, 120), value))
        assert found["noise level"].upper == 0
        assert found["JPEG quality"].value == 100
        assert found["streaks"].value == found["flakes"].value == 0
        assert found["mean light"].value == pytest.approx(round(value * 255) / 255, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 64), (2, 3), (7, 9), (16, 8), (33, 17), (64, 64)])
def test_any_size_is_measured(size: tuple[int, int], channels: int) -> None:
    x = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(1))
    features = as_features(measure(x))
    assert features.shape == (FEATURES,) and bool(torch.isfinite(features).all())
