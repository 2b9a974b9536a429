"""What the players of an adversarial training minimise, on networks small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from test_games import tiny
from torch import Tensor, nn

from restore.errors import ConfigError, TrainingError
from restore.train.games.config import GameConfig
from restore.train.games.curves import curve_batches
from restore.train.games.data import Sides, held_pairs
from restore.train.games.health import game_notes, validation_alarms, watcher
from restore.train.games.paired import paired_game_turns
from restore.train.games.play import Round
from restore.train.games.run import rate
from restore.train.games.unpaired import unpaired_batches, unpaired_turns
from restore.train.processes import Processes

CPU = torch.device("cpu")
OFF = {"feature": 0, "feature_local": 0}


class Brighter(nn.Module):
    """A generator that multiplies."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 * x


class Score(nn.Module):
    """A critic: ``weight`` times the picture's mean colour, a map of its size."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.mean(1, keepdim=True) + 0.2


def batch() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    low, normal = 0.3 * torch.rand(2, 3, 16, 16, generator=g), torch.rand(2, 3, 16, 16, generator=g)
    return {"low": low, "input": 0.8 * low, "normal": normal, "offsets": torch.tensor([[0, 3], [7, 8]])}


def played(config: GameConfig, turns: Any, made: dict[str, Tensor], **critics: nn.Module) -> list[Any]:
    """Losses and notes of the generator's turn, then of the critics'."""
    seen = Round({"generator": Brighter(), **critics}, made, 0, {}, {})
    told = [turn.terms(seen) for turn in turns(config, None, Processes())]
    return [{k: float(v) for k, v in part.items()} for pair in told for part in pair]


def scores(x: Tensor, weight: float) -> np.ndarray:
    return weight * x.double().numpy().mean(1) + 0.2


def patches(x: Tensor) -> Tensor:
    return torch.cat([x[..., 0:8, 3:11], x[..., 7:15, 8:16]])


def test_the_whole_is_judged_relatively_and_patches_absolutely() -> None:
    config, made = tiny(weights={"local": 3.0, **OFF}, crop=16, patch=8), batch()
    critics = {"global": Score(1.0), "local": Score(-2.0)}
    losses, notes, against, margins = played(config, unpaired_turns, made, **critics)
    out = 1.5 * made["input"]
    real, fake = scores(made["normal"], 1.0), scores(out, 1.0)
    near, far = scores(patches(made["normal"]), -2.0), scores(patches(out), -2.0)
    assert losses.keys() == {"global", "local"}
    above = ((fake - real.mean() - 1) ** 2).mean() + ((real - fake.mean()) ** 2).mean()
    assert losses["global"] == pytest.approx(above / 2, rel=1e-5)
    assert losses["local"] == pytest.approx(3 * ((far - 1) ** 2).mean(), rel=1e-5)
    below = ((real - fake.mean() - 1) ** 2).mean() + ((fake - real.mean()) ** 2).mean()
    assert against["critic_global"] == pytest.approx(below / 2, rel=1e-5)
    assert against["critic_local"] == pytest.approx(
        ((near - 1) ** 2).mean() / 2 + (far**2).mean() / 2, rel=1e-5
    )
    assert margins["margin_global"] == pytest.approx(real.mean() - fake.mean(), rel=1e-4)
    assert margins["margin_local"] == pytest.approx(near.mean() - far.mean(), rel=1e-4)
    for name, (a, b) in {"global": (real, fake), "local": (near, far)}.items():
        middle = (a.mean() + b.mean()) / 2
        assert margins[f"right_{name}"] == pytest.approx(
            ((a > middle).mean() + (b < middle).mean()) / 2, abs=0.01
        )
    assert notes["added"] == pytest.approx(float(0.5 * made["input"].mean()), rel=1e-5)
    # For the ablation both are plain least squares.
    plain, _, judged, _ = played(replace(config, relativistic=False), unpaired_turns, made, **critics)
    assert plain["global"] == pytest.approx(((fake - 1) ** 2).mean(), rel=1e-5)
    assert judged["critic_global"] == pytest.approx(
        ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2, rel=1e-5
    )


def test_pairs_are_judged_relatively_by_both_with_targets_two_apart() -> None:
    weights = {"perceptual": 0, "full": 2.0, "patch": 0.5}
    config = tiny(step="paired-adversarial", critics={"full": {}, "patch": {}}, weights=weights)
    held = batch()
    made = {"clean": held["normal"], "degraded": held["low"]}
    losses, notes, against, margins = played(
        config, paired_game_turns, made, full=Score(1.0), patch=Score(-1.0)
    )
    out = 1.5 * made["degraded"]
    error = (out - made["clean"]).double().square()
    assert losses["content"] == pytest.approx(0.5 * 4 * float(error.mean()), rel=1e-5)
    for name, weight, sign in (("full", 2.0, 1.0), ("patch", 0.5, -1.0)):
        real, fake = scores(made["clean"], sign), scores(out, sign)
        ours = ((fake - real.mean() - 1) ** 2).mean() + ((real - fake.mean() + 1) ** 2).mean()
        theirs = ((real - fake.mean() - 1) ** 2).mean() + ((fake - real.mean() + 1) ** 2).mean()
        assert losses[name] == pytest.approx(weight * ours / 2, rel=1e-5)
        assert against[f"critic_{name}"] == pytest.approx(theirs / 2, rel=1e-5)
        assert margins[f"margin_{name}"] == pytest.approx((real.mean() - fake.mean()) / 2, rel=1e-4)
    db = [-10 * np.log10(float(e.mean())) for e in error]
    assert notes["psnr"] == pytest.approx(np.mean(db), rel=1e-4)
    spreads = [v.numpy().std((2, 3), ddof=1).mean() for v in (out, made["clean"])]
    assert notes["contrast"] == pytest.approx(spreads[0] / spreads[1], rel=1e-4)


def test_the_rate_warms_up_stays_and_falls_to_zero() -> None:
    config = tiny(steps=100, decay_share=0.4, warmup=10)
    assert [rate(config, k) for k in (0, 4, 9, 30, 60)] == pytest.approx([0.1, 0.5, 1, 1, 1])
    assert [rate(config, k) for k in (70, 80, 90, 99, 100)] == pytest.approx([0.75, 0.5, 0.25, 0.025, 0])
    assert rate(replace(config, decay_share=0.0, warmup=0), 99) == 1


def test_notes_say_how_large_flat_alike_and_burnt_the_outputs_are() -> None:
    g = torch.Generator().manual_seed(1)
    x, normal = 0.2 * torch.rand(3, 3, 24, 24, generator=g), torch.rand(3, 3, 24, 24, generator=g)
    out = 0.5 * x + torch.tensor([0.0, 0.3, 0.6]).view(3, 1, 1, 1)
    out[0, 1, :4, :6] = 1.0  # burnt out here, and not before
    x[1, :, :2, :5] = out[1, :, :2, :5] = 0.995  # burnt already
    told = {k: float(v) for k, v in game_notes(x, out, normal, out - x).items()}
    luma = np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    mean = {k: float((v.numpy() * luma).sum(1).mean()) for k, v in (("in", x), ("out", out))}
    assert told["luma"] == pytest.approx(mean["out"], rel=1e-4)
    assert told["ratio"] == pytest.approx(mean["out"] / mean["in"], rel=1e-4)
    assert told["added"] == pytest.approx(float((out - x).abs().mean()), rel=1e-4)
    spread = [v.numpy().std((2, 3), ddof=1).mean() for v in (out, normal)]
    assert told["contrast"] == pytest.approx(spread[0] / spread[1], rel=1e-4)
    thumbs = [v.numpy().reshape(3, 3, 8, 3, 8, 3).mean((3, 5)) for v in (out, x)]
    varied = [t.std(0, ddof=1).mean() / t.mean() for t in thumbs]
    assert told["variety"] == pytest.approx(varied[0] / varied[1], rel=1e-4)
    assert told["clipped"] == pytest.approx(24 / (3 * 24 * 24), rel=1e-4)
    assert float(game_notes(x[:1], out[:1], normal[:1], x[:1])["variety"]) == 1


def test_black_inputs_and_flat_pictures_give_finite_notes() -> None:
    black = torch.zeros(2, 3, 16, 16)
    assert all(bool(torch.isfinite(v)) for v in game_notes(black, black, black, black).values())
    assert float(game_notes(black, black, torch.rand(2, 3, 16, 16), black)["contrast"]) == 0


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"contrast": 0.149}, ["collapse, the outputs are flat (contrast 0.15)"]),
        ({"contrast": 0.151, "variety": 0.101, "clipped": 0.02, "margin_x": 0.9}, []),
        ({"variety": 0.099}, ["collapse, the outputs are all alike (variety 0.099)"]),
        ({"clipped": 0.021}, ["saturation (clipped 0.021)"]),
    ],
)
def test_alarms_begin_where_the_table_says(numbers: dict[str, float], said: list[str]) -> None:
    assert watcher()(numbers, {}) == said


def test_alarms_are_counted_in_a_row_and_kept_with_the_run() -> None:
    watch, carried = watcher(patience=2), {}
    assert watch({"margin_full": 0.91}, carried) == []
    assert watch({"margin_full": 0.5}, carried) == []
    assert watch({"margin_full": 0.91}, carried) == [], "not in a row"
    assert watch({"margin_full": 0.91}, carried) == ["critic won (margin_full 0.91)"]
    assert carried["alarms"]["critic won"] == 2
    assert "flat" in watch({"contrast": 0.1}, carried)[0]
    with pytest.raises(TrainingError, match="2 log windows in a row"):
        watcher(patience=2)({"contrast": 0.1}, carried)


def test_validations_alarm_at_their_limits() -> None:
    assert validation_alarms({"luma_in": 0.21, "luma_out": 0.21}) == []
    assert validation_alarms({"luma_in": 0.1, "luma_out": 0.12, "burnt": 0.02, "cast": 5.0}) == []
    (weak,) = validation_alarms({"luma_in": 0.1, "luma_out": 0.119})
    (burnt,) = validation_alarms({"burnt": 0.021})
    (cast,) = validation_alarms({"cast": 5.1})
    assert "weak" in weak and "saturation" in burnt and "colour" in cast


def sides(count: int = 3) -> Sides:
    r = np.random.default_rng(0)
    low, normal = ([r.integers(0, 256, (40, 40, 3), np.uint8) for _ in range(count)] for _ in range(2))
    return Sides(low, normal, [], "", is_simulated=True)


@pytest.mark.parametrize("make", [unpaired_batches, curve_batches])
def test_batches_follow_the_recipes_seed_and_nothing_else(make: Any) -> None:
    config = tiny(
        degradation=["noise:sigma=5..50"], weights={"calm": 1.0} if make is unpaired_batches else {}
    )
    config = replace(config, clean_share=0.0)
    torch.manual_seed(1)
    one = make(config, sides(), CPU)(2)
    torch.manual_seed(2)
    again, later = make(config, sides(), CPU)(2), make(config, sides(), CPU)(3)
    other = make(replace(config, seed=config.seed + 1), sides(), CPU)(2)
    for key, value in one.items():
        assert torch.equal(value, again[key]), key
        assert not torch.equal(value, other[key]), f"{key} is the same with another seed"
        assert not torch.equal(value, later[key]), f"{key} is the same at another step"


def test_low_and_normal_pictures_are_cut_apart() -> None:
    """The two sides have nothing to do with each other: not even the places of their crops."""
    pictures = [np.random.default_rng(i).integers(0, 256, (64, 64, 3), np.uint8) for i in range(4)]
    same = Sides(pictures, pictures, [], "", is_simulated=False)
    made = unpaired_batches(tiny(batch=8), same, CPU)(0)
    assert not torch.equal(made["low"], made["normal"])


def test_the_held_out_are_always_degraded_alike_and_each_by_itself() -> None:
    config = tiny(degradation=["noise:sigma=25"], validation_crop=32)
    grey = [np.full((40, 40, 3), 99, np.uint8)] * 2
    torch.manual_seed(1)
    one = [x for x, _ in held_pairs(grey, config)]
    torch.manual_seed(2)
    again = [x for x, _ in held_pairs(grey, replace(config, seed=5))]
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(*one), "two pictures have the same noise"
    both = np.concatenate([np.full((40, 40, 3), 50, np.uint8), np.full((40, 40, 3), 10, np.uint8)], 2)
    ((low, clean),) = held_pairs([both], config)
    assert float(low.mean()) == pytest.approx(10 / 255, rel=1e-4) and clean is not None
    assert float(clean.mean()) == pytest.approx(50 / 255, rel=1e-4)


def test_limits_of_a_games_recipe() -> None:
    good = tiny(patches=1, patch=32, jitter=[1.0, 1.0], jitter_share=1.0, calm_sigma=1.0, sheets=0)
    assert good.patches == 1 and good.critic_lr == 0
    for wrong in (
        {"patches": 0}, {"patch": 7}, {"patch": 33}, {"jitter": [0.9, 2.0]}, {"jitter": [3.0, 2.0]},
        {"jitter_share": 1.01}, {"critic_lr": -1.0}, {"exposure_level": 1.0}, {"exposure_level": 0.0},
        {"calm_sigma": 1.01}, {"sheets": -1},
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            tiny(**wrong)
    defaults = tiny()
    assert defaults.weight("global") == defaults.weight("feature_local") == 1 and defaults.weight("calm") == 0
    assert [tiny(step="paired-adversarial", critics={}, weights={"full": 0, "patch": 0}).weight(k)
            for k in ("content", "perceptual")] == [0.5, 0.006]  # fmt: skip
