"""Marks on a picture: found by one network, filled by another; and the training of the one that finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

import restore
from restore.errors import ConfigError, UsageError
from restore.metrics import psnr
from restore.models.weights import read_weights
from restore.train.config import Config
from restore.train.recipe import make_recipe
from restore.train.run import train

TINY = {
    "name": "tiny",
    "task": "estimate",
    "architecture": "finder",
    "arch": {"widths": [8, 8, 8], "colours": True},
    "step": "find",
    "degradation": ["scratches:severity=4"],
    "mask": ["scratches"],
    "validation": ["scratches:severity=4"],
    "steps": 60,
    "lr": 4e-3,
    "batch": 8,
    "crop": 48,
    "ema": 0.9,
    "precision": "fp32",
    "long_sides": [],
    "min_side": 64,
    "hold_out": 1,
    "validation_crop": 96,
    "validate_every": 30,
    "log_every": 30,
}


def test_a_finder_learns_from_traces(samples: Path, tmp_path: Path) -> None:
    fit = train(make_recipe(Config, TINY), samples, tmp_path / "run", report=lambda text: None)
    header = read_weights(tmp_path / "run" / "best.safetensors")[1]
    assert header["validation"]["scratches:severity=4"] > 5 and fit.best_step == 60
    with pytest.raises(ConfigError, match="mask"):
        make_recipe(Config, {**TINY, "mask": []})


def test_marks_are_filled_and_nothing_else_is_touched(photo_tensor: Tensor) -> None:
    clean = photo_tensor[..., :200, :301]
    marked, _ = restore.degrade(clean, "scratches:severity=3", seed=1)
    options = {"device": "cpu", "precision": "fp32"}
    restored = restore.load("oldphoto", **options)(marked)
    assert float(psnr(restored.clamp(0, 1), clean)) > float(psnr(marked, clean)) + 1
    changed = (restored != marked).any(1)
    assert 0 < float(changed.float().mean()) < 0.3
    assert float((restore.load("oldphoto", tile=64, **options)(marked) - restored).abs().max()) < 1e-4
    # The surer it must be, the less it fills.
    sure = restore.load("oldphoto:sure=0.95", **options)(marked)
    assert not ((sure != marked).any(1) & ~changed).any()
    grey = restore.load("oldphoto", **options)(np.full((9, 5), 90, np.uint8))
    assert grey.shape == (9, 5)
    for value in (0, 1, "much"):
        with pytest.raises(UsageError, match="sure"):
            restore.load("oldphoto", sure=value)
