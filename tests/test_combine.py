"""Combinators, pipelines from TOML and named mixtures: what was drawn replays without them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from restore.bench.conditions import parse_condition
from restore.degradations import (
    Compose,
    Maybe,
    OneOf,
    Params,
    Pipeline,
    Repeat,
    Shuffle,
    degradation,
    mixtures,
    names,
)
from restore.degradations.mixtures import MIXTURES
from restore.degradations.presets import TABLE, replay
from restore.degradations.psf import gaussian_psf, shaped_psf, sinc_psf
from restore.degradations.sample import generator
from restore.errors import ConfigError, RestoreError, UsageError
from restore.train.conditions import drawn_conditions, without_effect
from restore.train.config import Config
from restore.train.paired import batch_maker
from restore.train.recipe import make_recipe

NOISE, BLUR, JPEG = (
    degradation("noise:sigma=20"),
    degradation("blur:sigma=1.5"),
    degradation("jpeg:quality=40"),
)
JPEG_DRAWN = degradation("jpeg")
SMALL = degradation("resize:factor=0.3..0.8")
BACK = degradation("resize:factor=1,height=24,width=30")
COMBINED = {
    "compose": Compose((BLUR, NOISE)),
    "one of": OneOf((BLUR, NOISE, Pipeline((BLUR, JPEG)))),
    "maybe": Maybe((BLUR, NOISE), p=0.5),
    "shuffle": Shuffle((BLUR, NOISE, JPEG)),
    "repeat": Repeat((JPEG, NOISE), times=(0, 3)),
    "nested": Compose((OneOf((BLUR, Maybe((JPEG,)))), Shuffle((NOISE, Repeat((BLUR,)))))),
    "other sizes in between": Compose((Maybe((SMALL,)), NOISE, BACK)),
}


def photo(count: int = 4, channels: int = 3, h: int = 24, w: int = 30) -> Tensor:
    return torch.rand((count, channels, h, w), generator=generator(3))


def through_json(params: Params) -> Params:
    return Params.from_json(json.loads(json.dumps(params.to_json())))


def drawn_names(params: Params) -> list[list[str]]:
    return [[record["name"] for record in row] for row in params.values["steps"]]


@pytest.mark.parametrize("name", COMBINED)
def test_what_is_drawn_replays_and_does_not_depend_on_the_batch(name: str) -> None:
    d, x = COMBINED[name], photo()
    before = x.clone()
    y, params = d(x, generator=generator(1))
    assert torch.equal(x, before) and y.data_ptr() != x.data_ptr()
    read = through_json(params)
    assert torch.equal(replay(read).apply(x, read), y)
    for i in range(len(x)):
        assert torch.equal(d.apply(x[i : i + 1], params.select(slice(i, i + 1))), y[i : i + 1])
    assert d.shape_after(tuple(x.shape), params) == tuple(y.shape)
    nothing, zero = d(x, severity=0, generator=generator(0))
    assert torch.equal(nothing, x) and zero.strength.tolist() == [0] * 4


def test_choices_follow_their_weights_and_every_sample_has_its_own() -> None:
    count = 800
    shape = (count, 1, 8, 8)
    picked = Counter(
        row[0]
        for row in drawn_names(OneOf((BLUR, NOISE), weights=(0.8, 0.2)).sample(shape, generator=generator(5)))
    )
    assert picked["blur"] / count == pytest.approx(0.8, abs=0.06)
    did = [
        bool(row) for row in drawn_names(Maybe((BLUR, NOISE), p=0.3).sample(shape, generator=generator(6)))
    ]
    assert sum(did) / count == pytest.approx(0.3, abs=0.06)
    orders = Counter(
        map(tuple, drawn_names(Shuffle((BLUR, NOISE, JPEG)).sample(shape, generator=generator(7))))
    )
    assert len(orders) == 6 and min(orders.values()) > count / 6 * 0.65
    times = Counter(
        map(len, drawn_names(Repeat((JPEG,), times=(1, 3)).sample(shape, generator=generator(8))))
    )
    assert set(times) == {1, 2, 3} and min(times.values()) > count / 3 * 0.8


def test_repeated_and_sibling_steps_draw_anew() -> None:
    params = Repeat((degradation("noise:sigma=0..50"),), times=3).sample((1, 3, 8, 8), generator=generator(1))
    records = params.values["steps"][0]
    assert len({r["seed"] for r in records}) == len({r["values"]["sigma"] for r in records}) == 3


def test_strength_zero_of_a_sample_leaves_it_alone() -> None:
    d, x = COMBINED["nested"], photo()
    y, params = d(x, generator=generator(2))
    part = d.apply(x, without_effect(params, torch.tensor([True, False, True, False])))
    assert torch.equal(part[[0, 2]], x[[0, 2]]) and torch.equal(part[[1, 3]], y[[1, 3]])


def test_what_a_network_is_told_follows_each_sample_through_combinators() -> None:
    d = Compose(
        (Maybe((degradation("noise:sigma=5..50"),)), OneOf((degradation("jpeg:quality=10..90"), BLUR)))
    )
    params = d.sample((40, 3, 16, 16), generator=generator(3))
    told = drawn_conditions(
        d, without_effect(params, torch.arange(40) == 0), ["quality", "noise.sigma", "sigma"]
    )
    assert told[0].tolist() == [0, 0, 0]
    for row, records in zip(told.tolist()[1:], params.values["steps"][1:], strict=True):
        drawn = {f"{r['name']}.{k}": v for r in records for k, v in r["values"].items()}
        last = drawn.get("blur.sigma", drawn.get("noise.sigma", 0))
        assert row == pytest.approx(
            [drawn.get("jpeg.quality", 0), drawn.get("noise.sigma", 0), last], rel=1e-6
        )
    assert 0 < int((told[:, 0] > 0).sum()) < 39 and 0 < int((told[:, 1] > 0).sum()) < 39
    mixed = degradation("bsrgan:scale=1")
    told = drawn_conditions(mixed, mixed.sample((3, 3, 64, 64), generator=generator(1)), ["jpeg.quality"])
    assert bool(((told >= 30) & (told <= 95)).all())
    with pytest.raises(UsageError, match="is not drawn by"):
        drawn_conditions(mixed, mixed.sample((1, 3, 64, 64), generator=generator(1)), ["webp.quality"])


def test_a_recipe_of_mixtures_tells_the_network_what_was_drawn() -> None:
    config = make_recipe(Config, 
        {"name": "x", "task": "dejpeg", "architecture": "resunet", "degradation": ["worn-print"],
         "conditions": ["jpeg.quality"], "batch": 4, "crop": 48, "clean_share": 0.5, "seed": 2}
    )  # fmt: skip
    pictures = [np.full((64, 64, 3), 120, dtype=np.uint8)]
    made = batch_maker(config, pictures, torch.device("cpu"))(0)
    clean = (made["conditions"] == 0).flatten()
    assert 0 < int(clean.sum()) < 4 and torch.equal(made["degraded"][clean], made["clean"][clean])
    assert bool((made["conditions"][~clean] >= 60).all())


def test_a_batch_of_different_sizes_is_refused() -> None:
    with pytest.raises(UsageError, match="different sizes"):
        Compose((SMALL,))(photo(), generator=generator(1))


def test_parameters_of_something_else_are_refused() -> None:
    params = COMBINED["compose"].sample((4, 3, 24, 30), generator=generator(1))
    with pytest.raises(RestoreError, match="one-of"):
        COMBINED["one of"].apply(photo(), params)
    with pytest.raises(RestoreError, match="none of its own"):
        Compose((BLUR,)).apply(photo(), params)
    for wrong in (
        lambda: OneOf((BLUR,), weights=(1, 2)),
        lambda: Maybe((BLUR,), p=2),
        lambda: Repeat((BLUR,), times=-1),
    ):
        with pytest.raises(UsageError):
            wrong()


TREE = """
[[steps]]
use = "defocus:radius=2"
[[steps]]
one_of = ["noise:sigma=5..50", ["blur", "jpeg"]]
weights = [0.7, 0.3]
[[steps]]
maybe = ["blur:sigma=0.5..2", { shuffle = ["jpeg", "noise:sigma=5"] }]
p = 0.5
[[steps]]
repeat = "worn-print"
times = [1, 2]
"""


def test_a_pipeline_from_toml_is_the_combinators(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(TREE)
    d = degradation(str(file))
    steps = d.steps
    assert [s.name for s in steps] == ["defocus", "one-of", "maybe", "repeat"]
    by_hand = Compose((
        degradation("defocus:radius=2"),
        OneOf((degradation("noise:sigma=5..50"), Compose((degradation("blur"), JPEG_DRAWN))), weights=(0.7, 0.3)),
        Maybe((degradation("blur:sigma=0.5..2"), Shuffle((JPEG_DRAWN, degradation("noise:sigma=5")))), p=0.5),
        Repeat((degradation("worn-print"),), times=(1, 2)),
    ))  # fmt: skip
    assert by_hand.label == d.label
    x = photo(2)
    y, params = d(x, generator=generator(4))
    assert torch.equal(by_hand(x, generator=generator(4))[0], y)
    read = through_json(params)
    assert torch.equal(replay(read).apply(x, read), y)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "list of steps"),
        ("steps = [", "not TOML"),
        ("[[steps]]\nuse = 'blurr'", "steps[0]"),
        ("[[steps]]\none_of = ['blur', {maybe = 'noise:sigma=-3'}]", "steps[0].one_of[1]"),
        ("[[steps]]\nuse = 'blur'\nmaybe = 'noise'", "exactly one"),
        ("[[steps]]\nmaybe = 'noise'\nweights = [1]", "weights"),
        ("[[steps]]\none_of = ['blur', 'noise']\nweights = [1]", "weights"),
        ("[[steps]]\nrepeat = 'blur'\ntimes = [1]", "times"),
        ("[[steps]]\nuse = 'other.toml'", "cannot name another"),
        ("steps = [1]", "a name, a list or a table"),
    ],
)
def test_a_mistake_in_toml_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        degradation(str(file))
    assert said in str(error.value) and str(file) in str(error.value)
    with pytest.raises(ConfigError, match="cannot read"):
        degradation(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("name", mixtures())
def test_mixtures_name_what_exists_and_replay(name: str) -> None:
    # Sizes drawn per sample cannot be in one batch (test_life).
    d = degradation("life-resized:scale=2" if name == "life-resized" else name)
    assert set(MIXTURES[name].needs) <= set(names())
    for shape in ((2, 3, 20, 32), (2, 1, 17, 9), (1, 3, 1, 1)):
        x = photo(*shape)
        for seed in range(2):
            y, params = d(x, generator=generator(seed))
            assert bool(torch.isfinite(y).all()) and d.shape_after(shape, params) == tuple(y.shape)
            assert {n for row in drawn_names(params) for n in row} <= set(MIXTURES[name].needs)
            read = through_json(params)
            assert torch.equal(replay(read).apply(x, read), y)
            assert torch.equal(d.apply(x[-1:], params.select(slice(len(x) - 1, None))), y[-1:])


@pytest.mark.parametrize("name", ["real-esrgan", "bsrgan"])
def test_two_stage_pipelines_end_at_the_low_resolution(name: str) -> None:
    x = photo(3, 3, 33, 50)
    for scale, size in ((4, (9, 13)), (2, (17, 25)), (1, (33, 50))):
        d = degradation(f"{name}:scale={scale}")
        assert tuple(d(x, generator=generator(1))[0].shape[-2:]) == size
        assert d.keeps_size == (scale == 1)
    assert parse_condition(f"{name}:scale=4").scale == 4
    joined = parse_condition(f"{name}:scale=2 + noise:sigma=2")
    assert joined.scale == 2 and tuple(joined.degrade(photo(1), seed=0, image="a").shape[-2:]) == (12, 15)


def test_real_esrgan_draws_as_published() -> None:
    params = degradation("real-esrgan").sample((500, 3, 256, 256), generator=generator(2))
    rows = params.values["steps"]
    first = [row[0]["values"] for row in rows]
    sinc = [v for v in first if v["kind"] == "sinc"]
    others = Counter((v["kind"], v["sigma2"] > 0) for v in first if v["kind"] != "sinc")
    assert len(sinc) / 500 == pytest.approx(0.1, abs=0.07)
    assert others["gaussian", False] / others.total() == pytest.approx(0.45, abs=0.07)
    assert others["gaussian", True] / others.total() == pytest.approx(0.25, abs=0.07)
    assert {v["size"] for v in first} == set(range(7, 22, 2))
    factors = [row[1]["values"]["factor"] for row in rows]
    assert sum(f < 1 for f in factors) / 500 == pytest.approx(0.7, abs=0.07)
    assert sum(f > 1 for f in factors) / 500 == pytest.approx(0.2, abs=0.06)
    assert min(factors) > 0.15 and max(factors) < 1.5
    noise = Counter(row[2]["name"] for row in rows)
    assert set(noise) == {"noise", "scaled-poisson"} and noise["noise"] / 500 == pytest.approx(0.5, abs=0.07)
    last = Counter(row[-2]["name"] for row in rows)
    assert last["jpeg"] / 500 == pytest.approx(0.5, abs=0.07)  # else a sinc or the size comes last
    assert all(30 <= r["values"]["quality"] <= 95 for row in rows for r in row if r["name"] == "jpeg")


def test_bsrgan_comes_to_its_size_after_the_random_one() -> None:
    d = degradation("bsrgan:scale=4")
    for row in d.sample((100, 3, 64, 64), generator=generator(1)).values["steps"]:
        sizes = [r["values"] for r in row if r["name"] == "resize"]
        assert sizes[-1]["height"] == 16 and all(v["height"] == 0 for v in sizes[:-1])
        assert row[-1]["name"] == "jpeg"


def test_the_shifted_kernel_makes_up_for_nearest_sampling() -> None:
    x = torch.linspace(0, 1, 64, dtype=torch.float64).view(1, 1, 1, 64).expand(1, 1, 64, 64)
    steps = degradation(["kernel-blur:size=25,sigma=1.5,shift=-1.5", "resize:factor=0.25,mode=nearest"])
    y, _ = steps(x, generator=generator(1))
    middle = x.view(64, 16, 4).mean(2).view(1, 1, 64, 16)[..., ::4, :]
    assert torch.allclose(y[..., 4:-4, 4:-4], middle[..., 4:-4, 4:-4], atol=1e-6)


def test_kernels_are_what_their_formulas_say() -> None:
    assert torch.allclose(shaped_psf(25, 3.0), gaussian_psf(3.0), atol=1e-12)
    assert torch.allclose(shaped_psf(21, 2.0, kind="generalised", beta=1.0), shaped_psf(21, 2.0), atol=1e-15)
    plateau = shaped_psf(21, 3.0, kind="plateau", beta=2.0)
    assert float(plateau[10, 13] / plateau[10, 10]) == pytest.approx(0.5)  # 1 / (1 + 1) at one sigma
    for psf in (plateau, shaped_psf(21, 2.0, 0.7, 30, kind="generalised", beta=0.6), sinc_psf(21, 1.5)):
        assert float(psf.sum()) == pytest.approx(1) and torch.allclose(psf, psf.flip(0, 1), atol=1e-12)
    ring = sinc_psf(41, torch.pi / 3)
    assert float(ring.min()) < 0
    passed = torch.fft.fft2(ring, s=(240, 240)).abs()
    assert float(passed[0, 20]) == pytest.approx(1, abs=0.1)  # half the cutoff
    assert float(passed[0, 60]) < 0.05  # one and a half of it
    with pytest.raises(UsageError, match="odd"):
        sinc_psf(20, 1.0)


def test_channel_noise_has_the_published_covariance() -> None:
    x = torch.zeros(1, 3, 300, 300)
    d = TABLE["channel-noise"].with_values(level=25)
    y, _ = d(x, generator=generator(3))
    covariance = torch.cov(y[0].flatten(1).double()) / (25 / 255) ** 2
    assert 0.2 < float(covariance.trace()) < 3.0  # the trace of D, three values of U(0, 1), or a little more
    assert bool((torch.linalg.eigvalsh(covariance) > -1e-6).all()) and float(covariance.min()) > -0.02


def test_scaled_poisson_has_its_variance() -> None:
    x = torch.full((1, 3, 256, 256), 0.4)
    for kind in ("each", "grey"):
        y, _ = degradation(f"scaled-poisson:scale=2,channels={kind}")(x, generator=generator(1))
        assert float(y.mean()) == pytest.approx(0.4, abs=2e-3)
        assert float(y.var()) == pytest.approx(4 * 0.4 / 256, rel=0.03)
        assert torch.equal(y[:, 0], y[:, 1]) == (kind == "grey")
