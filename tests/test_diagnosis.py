"""The measurements of a picture: against what was done to it, their intervals, their cost, and odd pictures."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made import save
from PIL import Image

import restore
from restore.diagnosis.measure import FEATURES, QUANTITIES, as_features, measure_picture
from restore.diagnosis.measurement import Measurement
from restore.errors import ImageError
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
        assert found["JPEG quality"].value == 100 and found["JPEG quality"].lower < 10  # who could tell
        assert found["streaks"].value == found["flakes"].value == 0
        assert found["mean light"].value == pytest.approx(round(value * 255) / 255, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 64), (2, 3), (7, 9), (16, 8), (33, 17), (64, 64)])
def test_any_size_is_measured(size: tuple[int, int], channels: int) -> None:
    x = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(1))
    features = as_features(measure(x))
    assert features.shape == (FEATURES,) and bool(torch.isfinite(features).all())


def test_blur_is_wider_the_wider_it_was_and_sharp_pictures_have_none() -> None:
    widths, held = [], 0
    for name in PHOTOS:
        x = picture(name)
        row = [measure(x)["blur width"]]
        for sigma in (1.5, 3.0, 5.0):
            m = measure(restore.degrade(x, f"blur:sigma={sigma}", seed=0)[0])["blur width"]
            held += m.lower <= sigma <= m.upper
            row.append(m)
        assert row[0].lower < 0.1 and row[3].lower > 0
        widths.append([m.value for m in row])
    median = np.median(widths, 0)
    assert median[0] < 0.3 < median[1] and bool((np.diff(median) > 0).all())
    assert held >= 8


@pytest.mark.parametrize("angle", [0, 45, 90, 150])
def test_the_direction_of_a_straight_motion(angle: int) -> None:
    x, length = picture("astronaut")[..., :256, :256], 15
    psf = torch.zeros(1, 1, 31, 31)
    for t in np.linspace(-length / 2, length / 2, 400):
        row = 15 - round(float(t * np.sin(np.radians(angle))))
        psf[0, 0, row, 15 + round(float(t * np.cos(np.radians(angle))))] += 1
    blurred = torch.nn.functional.conv2d(x.transpose(0, 1), psf / psf.sum()).transpose(0, 1)
    found = measure(blurred)
    apart = abs((found["blur direction"].value - angle + 90) % 180 - 90)
    assert apart <= 15
    m = found["blur length"]
    assert m.value > 5 and m.lower <= length <= m.upper


def test_an_enlargement_is_recognised() -> None:
    before, after = [], []
    for name in PHOTOS:
        x = picture(name)
        small = torch.nn.functional.interpolate(x, scale_factor=0.5, mode="area")
        large = torch.nn.functional.interpolate(small, scale_factor=3, mode="bicubic").clamp(0, 1)
        before.append(measure(x)["enlargement"].value)
        after.append(measure(large)["enlargement"].value)
    assert max(before) < 1.3 < np.median(after) and np.mean(after) < 4, (before, after)


def test_light_lamps_water_and_streaks() -> None:
    x = picture("coffee")
    assert measure(0.05 * x)["mean light"].value == pytest.approx(
        0.05 * measure(x)["mean light"].value, abs=0.01
    )
    night = torch.full((1, 3, 256, 256), 0.02)
    night[..., 100:112, 50:62] = night[..., 30:42, 200:212] = 1.0
    assert measure(night)["lamps"].value > 0.3 > measure(0.2 * x)["lamps"].value
    water = x * torch.tensor([0.2, 0.9, 0.9]).view(1, 3, 1, 1)
    lost = measure(water)["red attenuation"].value - measure(x)["red attenuation"].value
    assert lost == pytest.approx(np.log(0.9 / 0.2), abs=0.2)
    veil = 0.35 * x + 0.65 * 0.9
    assert measure(veil)["transmission"].value < measure(x)["transmission"].value - 0.3
    grey = torch.full((1, 3, 200, 200), 0.4)
    grey[..., 20:180:1, 40] = grey[..., 20:180, 90] = grey[..., 60:160, 140] = 0.8
    found = measure(grey)
    assert found["streaks"].value > 0.01 > found["flakes"].value
    assert abs(found["streak direction"].value - 90) < 5 and found["streak agreement"].value > 0.9


def test_large_pictures_cost_no_more_and_say_the_same() -> None:
    """Windows and thin bands are read, never the whole picture."""
    x = picture("coffee")[..., :320, :480].repeat(1, 1, 8, 8)
    asked = 0

    def read(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        nonlocal asked
        asked += (bottom - top) * (right - left)
        return x[..., top:bottom, left:right]

    found = measure_picture(read, *x.shape[-2:])
    assert asked < 0.25 * x.shape[-1] * x.shape[-2]
    small = measure(x[..., :320, :480])
    for name in ("mean light", "red attenuation", "noise level", "blur width"):
        assert found[name].value == pytest.approx(small[name].value, abs=0.15), name


def test_one_picture_of_any_kind_is_diagnosed(photo: np.ndarray) -> None:
    for image in (photo, Image.fromarray(photo), photo[..., 0], picture("cat")[0]):
        assert tuple(restore.diagnose(image)) == QUANTITIES
    with pytest.raises(ImageError, match="one picture"):
        restore.diagnose(torch.zeros(2, 3, 8, 8))


def test_the_command_says_what_it_measured_and_changes_nothing(tmp_path: Path, photo: np.ndarray) -> None:
    folder = tmp_path / "in"
    noisy, _ = restore.degrade(photo, "noise:sigma=25", seed=1)
    save(folder / "noisy.png", noisy)
    save(folder / "sub/clean.png", photo)
    Image.fromarray(photo).save(folder / "coded.jpg", quality=40)
    (folder / "broken.png").write_bytes(b"no picture")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    page, numbers = tmp_path / "page.html", tmp_path / "numbers.json"
    command = [sys.executable, "-m", "restore", "diagnose", str(folder), "--json", str(numbers), "--html"]
    done = subprocess.run([*command, str(page)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "broken.png" in done.stderr and "Traceback" not in done.stderr
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    found = {d["file"]: d for d in json.loads(numbers.read_text())}
    assert set(found) == {"noisy.png", "sub/clean.png", "coded.jpg", "broken.png"}
    assert any("noise" in text for text in found["noisy.png"]["remarks"])
    assert found["coded.jpg"]["remarks"] == ["JPEG quality 40"] and found["sub/clean.png"]["remarks"] == []
    assert len(found["noisy.png"]["measurements"]) == len(QUANTITIES)
    assert "noisy.png" in done.stdout and "<table" in page.read_text()
    nothing = subprocess.run(
        [*command[:4], str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert nothing.returncode == 2 and "no such" in nothing.stderr
