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
from restore.models.registry import SHIPPED, ZOO, build
from restore.models.weights import read_weights
from restore.models.windows import largest
from restore.models.worth import AREA, FEATURES
from restore.resample import imresize
from restore.restorers import Restorer, found, marks, names, shrunk
from restore.restorers.composed import COMPOSED
from restore.restorers.things import things_on
from restore.train import worth
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
    judge = build("worth", {}).eval()
    torch.nn.init.constant_(judge.head[-1].bias, 50)  # type: ignore[index, union-attr, arg-type]
    monkeypatch.setattr(found, "shipped_judge", lambda: (judge, "made here"))

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
    torch.nn.init.constant_(judge.head[-1].bias, -50)  # type: ignore[index, union-attr, arg-type]
    assert torch.equal(loaded(sure=0.5)(x), x)


def test_things_are_named_and_told_apart() -> None:
    x = torch.full((3, 40, 60), 0.4) + 0.01 * torch.rand(
        3, 40, 60, generator=torch.Generator().manual_seed(0)
    )
    filled, likely = x.clone(), torch.zeros(40, 60)
    x[:, 5:35, 10:12] = 0.9  # a white bar, surely found
    likely[5:35, 10:12] = 0.99
    likely[20:23, 40:43] = 0.6  # something that is hardly there
    likely[30, 50] = 0.2
    hole = largest((likely > 0.5).float()[None, None], 1)[0, 0]
    bar, spot = 1, 2
    named = things_on(x, filled, likely, hole, sure=0.5)
    assert len(named) == 2 and np.array_equal(named.named > 0, hole.numpy() > 0)
    assert set(np.unique(named.named[4:36, 9:13])) == {bar} and set(np.unique(named.named[19:24, 39:44])) == {
        spot
    }
    told = named.features
    assert told.shape == (2, FEATURES) and told.isfinite().all()
    assert (
        told[0, 0] > told[1, 0] + 3 and told[0, 9] == 1 and told[0, 15] == 0
    )  # farther from its filling, lighter
    assert torch.allclose(told[:, 4].exp(), torch.tensor([32 * 4.0, 25.0]), rtol=1e-3)  # pixels
    assert len(things_on(x, x, torch.zeros(40, 60), torch.zeros(40, 60), sure=0.5)) == 0


def test_where_much_is_surely_worth_filling_more_is(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = build("worth", {})
    monkeypatch.setattr(judge, "forward", lambda features: torch.tensor([2.0, -1.5, -5.0]))
    features = torch.zeros(3, FEATURES)
    features[:, AREA] = torch.tensor([400.0, 10.0, 10.0]).log()
    assert judge.chosen(features, 10_000_000).tolist() == [True, False, False]  # type: ignore[operator]
    assert judge.chosen(features, 10_000).tolist() == [True, True, False]  # type: ignore[operator]


def test_what_is_worth_filling_is_fitted_and_goes_on_where_it_stopped(samples: Path, tmp_path: Path) -> None:
    given = ["--data", str(samples), "--out", str(tmp_path), "--set", "steps=10", "--set", "batch=2"]
    given += ["--set", "crop=96", "--set", "hold_out=1", "--set", "long_sides=[]", "--set", "min_side=96"]
    given += ["--set", 'degradation=["scratches:severity=4"]', "--set", "clean_share=0"]
    recipe = str(ZOO / "worth" / "recipe.toml")
    assert worth.main([recipe, *given]) == 0
    weights, header = read_weights(tmp_path / "best.safetensors")
    scores = header["validation"]
    assert scores["oracle"] >= scores["chosen"] > -1 and scores["oracle"] > scores["filled"]
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert len(kept) == 2 and worth.main([recipe, *given]) == 0
    assert kept == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    again = read_weights(tmp_path / "best.safetensors")[0]
    assert all(torch.equal(again[k], v) for k, v in weights.items())
    assert worth.main([str(ZOO / "marks" / "recipe.toml"), *given]) == 2


def test_one_heavy_thing_does_not_decide_what_is_worth_filling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thing weighs what filling it brings as a share of its picture's error, up to the heaviest of a thousand."""
    monkeypatch.setattr(worth, "_EPOCHS", 1)
    seen: list[torch.Tensor] = []
    loss = F.binary_cross_entropy_with_logits

    def watched(x: torch.Tensor, target: torch.Tensor, *, weight: torch.Tensor) -> torch.Tensor:
        seen.append(weight)
        return loss(x, target, weight=weight)

    monkeypatch.setattr(F, "binary_cross_entropy_with_logits", watched)
    g = torch.Generator().manual_seed(0)
    count = 4000
    gain = torch.rand(count, generator=g, dtype=torch.float64) - 0.3
    gain[7] = 5000.0
    told = {
        "features": torch.randn(count, FEATURES, generator=g),
        "gain": gain,
        "picture": torch.arange(count),
        "error": torch.ones(count, dtype=torch.float64),
        "pixels": torch.full((count,), 100.0, dtype=torch.float64),
    }
    worth.fit(build("worth", {}), told, seed=0, report=lambda text: None)
    weights = torch.cat(seen)
    assert len(weights) == count and float(weights.mean()) == pytest.approx(1, rel=1e-4)
    assert float(weights.max()) < 20 * float(weights.median()), "one thing outweighs all others"


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
