"""Marks on a picture: found by one network, filled by another; and the training of the one that finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import restore
from restore.errors import ConfigError, UsageError, WeightsError
from restore.models.registry import SHIPPED, build
from restore.models.weights import read_weights
from restore.models.windows import largest
from restore.resample import imresize
from restore.restorers import Restorer, found, marks, names, shrunk
from restore.restorers.composed import COMPOSED
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


def test_marks_are_filled_and_nothing_else_is_touched(
    photo_tensor: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    finder = build("finder", {"widths": [8, 8, 8], "colours": True}).eval().requires_grad_(False)
    x = photo_tensor[..., :120, :161]
    finder.tail.weight.mul_(100)  # type: ignore[union-attr, operator]
    finder.tail.bias.sub_(finder(x).quantile(0.9))  # type: ignore[union-attr, operator]
    for module in (found, marks):
        monkeypatch.setattr(module, "shipped_finder", lambda device: (finder, "made here"))
    monkeypatch.setattr(shrunk, "SIDE", 120)

    def loaded(tile: int | None = None, **values: Any) -> Restorer:
        options: dict[str, Any] = {"device": "cpu", "precision": "fp32"}
        return found.FoundRestorer(
            lambda name: restore.load(name, **options), device=torch.device("cpu"), tile=tile, values=values
        )

    restored = loaded(sure=0.5)(x)
    holes = largest((finder(x).sigmoid() > 0.5).float(), 1)[:, 0] > 0
    changed = (restored != x).any(1)
    assert 0.01 < float(changed.float().mean()) < 0.9 and not (changed & ~holes).any()
    assert float((loaded(tile=64, sure=0.5)(x) - restored).abs().max()) < 1e-4
    assert torch.equal(loaded(sure=0.5).as_module()(x), restored)
    # The surer it must be, the less it fills.
    sure = loaded(sure=0.8)(x)
    assert not ((sure != x).any(1) & ~changed).any() and bool((sure == x).all(1)[changed].any())
    # Of a larger scan the same is found: it is shrunk first.
    large = imresize(x, scale=3).clamp(0, 1)[..., :-1, :-2]
    thrice = loaded(sure=0.5)(large)
    found_there = F.avg_pool2d((thrice != large).any(1, keepdim=True).float(), 3, ceil_mode=True)[:, 0]
    assert float((found_there > 0)[changed].float().mean()) > 0.9
    assert float(((found_there > 0) & ~holes).float().mean()) < 0.05
    assert float((loaded(tile=128, sure=0.5)(large) - thrice).abs().max()) < 1e-4
    assert loaded()(np.full((9, 5), 90, np.uint8)).shape == (9, 5)
    for value in (0, 1, "much"):
        with pytest.raises(UsageError, match="sure"):
            loaded(sure=value)


def test_without_weights_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SHIPPED, "marks", raising=False)
    monkeypatch.delitem(COMPOSED, "oldphoto", raising=False)
    with pytest.raises(WeightsError, match="marks"):
        restore.load("oldphoto")
    assert "oldphoto" not in names()


def test_bands_of_a_shrunk_picture_are_the_whole() -> None:
    x = torch.rand(1, 3, 802, 331, generator=torch.Generator().manual_seed(0))
    small = shrunk.shrunk(lambda t, b, le, r: x[..., t:b, le:r], 802, 331, 3)
    whole = imresize(F.pad(x, (0, 2, 0, 2), mode="replicate"), scale=1 / 3, kernel="lanczos3")
    assert small.shape == (1, 3, 268, 111) and torch.allclose(small, whole, atol=1e-6)
