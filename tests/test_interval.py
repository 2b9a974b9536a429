"""Intervals: what they promise, whom they belong to, and how they are handed over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore.bench.tables.conformal import coverage, fit_coefficients, risk_control
from restore.errors import UsageError, WeightsError
from restore.restorers.interval import (
    COEFFICIENTS,
    Calibration,
    bounds,
    log_scale,
    restore_with_spread,
    usual_error,
)


def test_risk_control_keeps_its_promise_on_other_pictures() -> None:
    g = torch.Generator().manual_seed(0)

    def pictures(count: int) -> list[torch.Tensor]:
        # Each picture has a difficulty of its own, so values of one picture are not independent.
        return [
            (torch.randn(200, generator=g).abs() * (0.5 + torch.rand(1, generator=g))).sort().values
            for _ in range(count)
        ]

    shares = []
    for _ in range(25):
        factor = risk_control(pictures(60), 0.9)
        shares.append(np.mean([coverage(r, factor) for r in pictures(60)]))
    assert 0.895 <= np.mean(shares) < 0.925
    # The smallest such factor: a little less breaks the bound that it must keep.
    own = pictures(60)
    factor = risk_control(own, 0.9)
    bound = (61 * 0.1 - 1) / 60
    assert np.mean([1 - coverage(r, factor) for r in own]) <= bound
    assert np.mean([1 - coverage(r, factor * 0.999) for r in own]) >= bound - 1e-3
    with pytest.raises(UsageError, match="more pictures"):
        risk_control(own[:5], 0.9)


def test_the_regression_finds_where_errors_are_large(photo_tensor: torch.Tensor) -> None:
    x = photo_tensor[..., :192, :192]
    g = torch.Generator().manual_seed(0)
    level = torch.linspace(0.01, 0.15, 192).expand(192, 192)
    noisy = x + level * torch.randn(x.shape, generator=g)
    w = fit_coefficients(lambda t: t, [(x, noisy)])  # restores nothing: the error is the noise
    assert len(w) == COEFFICIENTS
    # Mirroring changes nothing for the identity; what is left to see it by is the picture itself.
    usual = usual_error(noisy, noisy.clamp(0, 1), torch.zeros_like(x[:, :1]), w)[0, 0]
    left, right = usual[:, :60].median(), usual[:, -60:].median()
    assert right > 2 * left


def test_the_spread_is_the_deviation_over_the_mirror_images() -> None:
    torch.manual_seed(0)
    net = torch.nn.Conv2d(3, 3, (2, 3), padding="same")

    def restore_one(x: torch.Tensor) -> torch.Tensor:
        return 3 * net(x) - 1  # much of it outside of [0, 1]

    x = torch.rand(2, 3, 12, 17)
    first, spread = restore_with_spread(restore_one, x)
    answers = []
    with torch.no_grad():
        for down in (1, -1):
            for right in (1, -1):
                turned = x.numpy()[..., ::down, ::right].copy()
                made = restore_one(torch.from_numpy(turned)).numpy()
                answers.append(np.clip(made, 0, 1)[..., ::down, ::right])
    assert first.numpy() == pytest.approx(answers[0]) and float(first.min()) >= 0 and float(first.max()) <= 1
    expected = np.sqrt(np.var(answers, 0).mean(1, keepdims=True))
    assert spread.shape == (2, 1, 12, 17) and spread.numpy() == pytest.approx(expected, abs=2e-4)
    assert float(spread.max()) > 0.1
    # One that says the same whichever way it is held has no spread; rounding must not make it NaN.
    _, none = restore_with_spread(lambda t: 0.3 + 0.1 * t, x)
    assert float(none.max()) < 1e-3


def test_bounds_stay_in_range_and_are_rounded_outwards() -> None:
    y, half = torch.tensor([0.02, 0.5, 0.99]), torch.tensor([0.05, 0.0101, 0.05])
    lower, upper = bounds(y, half)
    assert lower.tolist() == pytest.approx([0, 0.4899, 0.94]) and upper.tolist() == pytest.approx(
        [0.07, 0.5101, 1]
    )
    lower, upper = bounds(y, half, top=100)
    assert lower.tolist() == pytest.approx([0, 0.48, 0.94], abs=1e-6)
    assert upper.tolist() == pytest.approx([0.07, 0.52, 1], abs=0.0101)


def test_bands_of_rows_equal_the_whole() -> None:
    g = torch.Generator().manual_seed(1)
    x, y = (torch.rand(2, 3, 700, 40, generator=g) for _ in range(2))
    spread = torch.rand(2, 1, 700, 40, generator=g)
    w = tuple((0.05 * torch.randn(COEFFICIENTS, generator=g)).tolist())
    whole = torch.einsum("k,bkhw->bhw", torch.tensor(w), log_scale(x, y, spread))[:, None]
    assert torch.allclose(usual_error(x, y, spread, w), whole.clamp(-9, 0).exp(), rtol=1e-4)


def a_table(folder: Path, identity: str) -> Path:
    w = (-4.0, *([0.0] * (COEFFICIENTS - 1)))
    scales = {"pooled": {"0.9": 2.0, "0.8": 1.0}, "noise:sigma=25": {"0.9": 1.5}}
    path = folder / "intervals.json"
    path.write_text(json.dumps(Calibration("median", identity, w, scales, {}).to_json()))
    return path


def test_bounds_come_as_the_picture_came_and_stale_tables_are_refused(
    photo: np.ndarray, tmp_path: Path
) -> None:
    median = restore.load("median:size=3")
    crop = photo[:40, :60]
    table = a_table(tmp_path, median.identity)
    lower, upper = median.interval(crop, calibration=table)
    restored = median(crop)
    assert lower.dtype == upper.dtype == np.uint8 and lower.shape == crop.shape
    assert (lower <= restored).all() and (restored <= upper).all()
    width = 2 * 255 * np.exp(-4.0)
    inner = (lower > 0) & (upper < 255)
    assert inner.any() and np.abs((upper - lower.astype(float))[inner] - 2 * width).max() <= 2
    narrow = median.interval(crop, calibration=table, degradation="noise:sigma=25")
    assert (narrow[0] >= lower).all() and (narrow[1] <= upper).all() and (narrow[1] < upper).any()
    as_float = torch.from_numpy(crop.copy()).permute(2, 0, 1).float() / 255
    low, high = median.interval(as_float, calibration=table, level=0.8)
    assert low.shape == as_float.shape and bool((low <= high).all())

    with pytest.raises(WeightsError, match="calibrated for other weights"):
        median.interval(crop, calibration=a_table(tmp_path, "0" * 64))
    table = a_table(tmp_path, median.identity)
    with pytest.raises(WeightsError, match="without calibrated intervals"):
        median.interval(crop)
    with pytest.raises(UsageError, match=r"level 0\.99"):
        median.interval(crop, calibration=table, level=0.99)
    with pytest.raises(UsageError, match="'jpeg'"):
        median.interval(crop, calibration=table, degradation="jpeg")
    with pytest.raises(UsageError, match="changes the size"):
        restore.load("bicubic:scale=2").interval(crop)
    table.write_text("{}")
    with pytest.raises(WeightsError, match="no calibration"):
        median.interval(crop, calibration=table)


def test_run_writes_maps_with_their_scale(photo: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).normal(0, 25, (96, 120, 3))
    Image.fromarray(np.clip(photo[:96, :120] + noise, 0, 255).astype(np.uint8)).save(
        tmp_path / "in" / "a.png"
    )
    run = [sys.executable, "-m", "restore", "run", str(tmp_path / "in"), "--threads", "1"]
    maps = tmp_path / "maps"
    wanted = ["-m", "denoise", "--uncertainty", str(maps), "--uncertainty-preview"]
    made = subprocess.run([*run, "-o", str(tmp_path / "out"), *wanted], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    about = json.loads((maps / "interval.json").read_text())
    assert about["level"] == 0.9 and about["full_scale"] == 65535
    half = np.asarray(Image.open(maps / "a.png.interval.png"))
    assert half.dtype == np.uint16 and half.shape == (96, 120)
    noisy = np.asarray(Image.open(tmp_path / "in" / "a.png"))
    restored = np.asarray(Image.open(tmp_path / "out" / "a.png")).astype(float)
    lower, upper = restore.load("denoise").interval(noisy)
    inner = ((lower > 0) & (upper < 255)).all(2)
    from_python = (upper.astype(float) - lower).mean(2) / 2
    assert np.abs(half / 65535 * 255 - from_python)[inner].max() <= 1
    error = np.abs(restored - photo[:96, :120])
    assert 0.75 < np.mean(error <= half[..., None] / 65535 * 255 + 0.5) < 1
    preview = np.asarray(Image.open(maps / "a.png.preview.png"))
    assert preview.shape == (96, 120, 3)
    # Who has no calibration is told before any work.
    other = ["-o", str(tmp_path / "no"), "-m", "median:size=3", "--uncertainty", str(tmp_path / "m")]
    refused = subprocess.run([*run, *other], capture_output=True, text=True)
    assert refused.returncode == 1 and "without calibrated intervals" in refused.stderr
    assert not (tmp_path / "no").exists()
