"""What is drawn is told from photographs, coded mildly or spoiled; faults of clean drawings measure 0."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

import restore
from restore.bench.tables.drawn import main as print_table
from restore.data.drawings import draw_picture
from restore.diagnosis.drawn_features import NAMES, measure_features
from restore.diagnosis.measure_drawn import load_classifier, measure_drawn, read_drawn
from restore.diagnosis.measure_drawn_faults import measure_drawn_noise, measure_drawn_ringing
from restore.diagnosis.sample import Sample, take_sample
from restore.image import array_to_tensor
from restore.train.fit_drawn import fit_classifier


def sample_of(pixels: np.ndarray) -> Sample:
    return take_sample(lambda t, b, le, r: array_to_tensor(pixels[t:b, le:r]), *pixels.shape[:2])


def is_drawn(pixels: np.ndarray) -> bool:
    return measure_drawn(sample_of(pixels)).is_drawn


def coded(pixels: np.ndarray, kind: str, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=quality)
    return np.array(Image.open(file).convert("RGB"))


def receipt(g: np.random.Generator) -> np.ndarray:
    picture = Image.new("RGB", (380, 620), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for y in range(20, 580, 21):
        draw.text((20, y), f"{g.integers(1, 9)} x item {g.integers(100, 999)}", fill=(30, 30, 30), font=font)
        draw.text((300, y), f"{g.uniform(1, 99):.2f}", fill=(30, 30, 30), font=font)
        draw.line((20, y + 18, 360, y + 18), fill=(210, 210, 210))
    return np.array(picture)


def dashboard(g: np.random.Generator) -> np.ndarray:
    picture = Image.new("RGB", (640, 420), (24, 26, 33))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    for k in range(6):
        x, y = 16 + k % 3 * 205, 16 + k // 3 * 200
        draw.rounded_rectangle((x, y, x + 190, y + 185), 10, fill=(40, 43, 54))
        draw.text((x + 12, y + 10), f"sensor {k}", fill=(170, 175, 190), font=font)
        points = [(x + 12 + 9 * i, y + 160 - float(v)) for i, v in enumerate(g.uniform(0, 90, 19))]
        draw.line(points, fill=(90, 200, 160), width=2)
    return np.array(picture)


def mosaic(g: np.random.Generator) -> np.ndarray:
    picture = Image.new("RGB", (480, 480))
    draw = ImageDraw.Draw(picture)
    for y in range(0, 480, 32):
        for x in range(0, 480, 32):
            draw.rectangle(
                (x, y, x + 31, y + 31), fill=tuple(g.integers(0, 256, 3).tolist()), outline="black"
            )
    return np.array(picture)


def emblem(g: np.random.Generator) -> np.ndarray:
    picture = Image.new("RGB", (900, 900), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((120, 120, 780, 780), fill=(200, 30, 50))
    draw.polygon([(450, 200), (700, 640), (200, 640)], fill=(255, 210, 0))
    return np.array(picture.resize((300, 300), Image.Resampling.LANCZOS))


def ramp(g: np.random.Generator) -> np.ndarray:
    return np.linspace((20, 60, 200), (240, 180, 90), 300).round().astype(np.uint8)[:, None].repeat(400, 1)


def dots(g: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:300, 0:300]
    on = (x % 6 - 2.5) ** 2 + (y % 6 - 2.5) ** 2 < 9 * x / 300
    return np.where(on[..., None], np.uint8(0), np.uint8(255)).repeat(3, 2)


DRAWN = [receipt, dashboard, mosaic, emblem, ramp, dots]


@pytest.mark.parametrize("draw", DRAWN)
def test_drawings_are_recognised_and_clean(draw) -> None:
    pixels = draw(np.random.default_rng(1))
    sample = sample_of(pixels)
    found = measure_drawn(sample)
    assert found.is_drawn and found.reasons
    assert 0 <= found.probability.lower <= found.probability.value <= found.probability.upper <= 1
    assert measure_drawn_noise(sample).value == 0 and measure_drawn_ringing(sample).value == 0


@pytest.mark.parametrize("draw", [receipt, dashboard])
@pytest.mark.parametrize(("kind", "quality"), [("JPEG", 80), ("JPEG", 92), ("WEBP", 85)])
def test_mildly_coded_screens_are_drawn(draw, kind: str, quality: int) -> None:
    assert is_drawn(coded(draw(np.random.default_rng(2)), kind, quality))


def test_resized_screens_are_drawn() -> None:
    for draw in (receipt, dashboard):
        pixels = draw(np.random.default_rng(3))
        for scale in (0.7, 1.3):
            assert is_drawn(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


FAULTS = ["noise:sigma=5", "noise:sigma=30", "jpeg:quality=10", "jpeg:quality=20", "jpeg:quality=40"]
FAULTS += ["blur:sigma=3", "webp:quality=20"]


@pytest.mark.parametrize("fault", FAULTS)
def test_spoiled_photographs_are_no_drawings(fault: str, samples: Path) -> None:
    for path in samples.glob("*.png"):
        pixels = np.array(Image.open(path).convert("RGB"))
        assert not is_drawn(np.asarray(restore.degrade(pixels, fault, seed=1)[0])), path.name


def test_processed_photographs_are_no_drawings(samples: Path) -> None:
    for path in samples.glob("*.png"):
        x = np.array(Image.open(path).convert("RGB"))
        white = np.pad(x, ((30, 60), (40, 40), (0, 0)), constant_values=255)
        made = {
            "as it is": x,
            "white borders": white,
            "repeated pixels": x.repeat(3, 0).repeat(3, 1),
            "median": cv2.medianBlur(x, 7),
            "posterised": x // 16 * 16 + 8,
            "dark": (x * 0.08).astype(np.uint8),
            "clipped": np.clip(x.astype(int) * 2 - 40, 0, 255).astype(np.uint8),
            "grey": cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, 2),
        }
        wrong = [name for name, pixels in made.items() if is_drawn(pixels)]
        assert not wrong, (path.name, wrong)


@pytest.mark.parametrize("draw", [receipt, dashboard, emblem, ramp, mosaic])
@pytest.mark.parametrize("sigma", [3, 10, 25])
def test_noise_on_a_drawing_is_measured(draw, sigma: float) -> None:
    g = np.random.default_rng(4)
    clean = draw(g)
    noisy = np.clip(np.rint(clean + g.normal(0, sigma, clean.shape)), 0, 255).astype(np.uint8)
    found = measure_drawn_noise(sample_of(noisy))
    assert abs(found.value / sigma - 1) < 0.25
    assert found.lower <= found.value <= found.upper


@pytest.mark.parametrize("draw", [receipt, dashboard, emblem])
def test_ringing_grows_as_the_quality_falls(draw) -> None:
    clean = draw(np.random.default_rng(5))
    levels = [measure_drawn_ringing(sample_of(coded(clean, "JPEG", q))).value for q in (85, 60)]
    assert 0 < levels[0] < levels[1]
    assert measure_drawn_noise(sample_of(coded(clean, "JPEG", 60))).value == 0


def test_clean_procedural_drawings_show_neither_noise_nor_ringing() -> None:
    for seed in range(40):
        pixels = (draw_picture(seed, 200, 240).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        sample = sample_of(pixels)
        assert measure_drawn_noise(sample).value == 0 and measure_drawn_ringing(sample).value == 0, seed


def test_grey_alike_and_tiny_pictures() -> None:
    pixels = receipt(np.random.default_rng(6))
    assert np.allclose(measure_features(sample_of(pixels)), measure_features(sample_of(pixels[..., :1])))
    for side in (1, 8, 23, 24, 40):
        part = np.ascontiguousarray(pixels[:side, :side])
        found = measure_drawn(sample_of(part))
        assert np.isfinite(found.probability.value) and (side >= 24 or not found.is_drawn)


def test_large_pictures_are_read_in_windows_only() -> None:
    seen = 0

    def read(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        nonlocal seen
        seen += (bottom - top) * (right - left)
        return torch.ones(1, 3, bottom - top, right - left)

    found = read_drawn(read, 4000, 6000)
    assert found.is_drawn and "one colour" in found.reasons and seen < 4e6


def test_the_fit_separates_what_can_be_separated() -> None:
    g = np.random.default_rng(7)
    features = g.normal(0, 1, (600, 5))
    drawn = features[:, 0] * features[:, 1] > 0  # no line separates these
    found = fit_classifier(features, drawn, np.arange(600) % 4 == 0, fits=2, hidden=8, steps=600)
    assert ((found.logits(features).mean(1) > 0) == drawn).mean() > 0.9
    shipped = load_classifier()
    assert shipped.mean.shape == (len(NAMES),) and shipped.threshold > 0


def test_the_table_counts_what_is_taken_for_drawn(samples: Path, capsys, tmp_path: Path) -> None:
    assert print_table([str(samples), "--condition", "noise:sigma=10", "--every", "2"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| samples")]
    assert len(rows) == 2 and all(" 0.0 |" in row for row in rows)
    assert print_table([str(tmp_path)]) == 2
