"""The trainer: the loop's promises, on a network small enough for a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import restore
from restore.data.library import open_library
from restore.data.pairs import open_pairs
from restore.errors import ConfigError, TrainingError, UsageError
from restore.models.weights import read_weights
from restore.train.config import Config
from restore.train.loop import learning_rate
from restore.train.paired import batch_maker, estimate_step
from restore.train.recipe import load_recipe, make_recipe
from restore.train.run import train

TINY: dict[str, Any] = {
    "name": "tiny",
    "task": "denoise",
    "architecture": "resunet",
    "arch": {"widths": [8, 8], "blocks": [1, 1]},
    "conditions": ["sigma"],
    "degradation": ["noise:sigma=0..50"],
    "steps": 12,
    "batch": 4,
    "crop": 32,
    "late_share": 0.25,
    "late_batch": 2,
    "late_crop": 48,
    "late_loss": "psnr",
    "grey_share": 0.3,
    "clean_share": 0.2,
    "precision": "fp32",
    "long_sides": [],
    "min_side": 64,
    "hold_out": 1,
    "validation": ["noise:sigma=25"],
    "validation_crop": 64,
    "validate_every": 4,
    "log_every": 2,
}


def tiny(**changes: object) -> Config:
    return make_recipe(Config, {**TINY, **changes})


def quiet(text: str) -> None:
    pass


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path / "last.pt", weights_only=True)


def losses(path: Path) -> list[float]:
    lines = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_resumed_equals_uninterrupted_bit_for_bit(samples: Path, tmp_path: Path) -> None:
    train(tiny(), samples, tmp_path / "whole", device="cpu", report=quiet)

    class Stop(Exception):
        pass

    def stop_after_validation(text: str) -> None:
        if text.startswith("step 10/"):  # two steps after the checkpoint at 8
            raise Stop

    with pytest.raises(Stop):
        train(tiny(), samples, tmp_path / "parts", device="cpu", report=stop_after_validation)
    assert weights(tmp_path / "parts")["step"] == 8
    train(tiny(), samples, tmp_path / "parts", resume=True, device="cpu", report=quiet)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for part in ("net", "ema"):
        for key, value in whole[part].items():
            assert torch.equal(value, parts[part][key]), (part, key)
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    state, header = read_weights(tmp_path / "whole" / "best.safetensors")
    assert header["recipe"]["steps"] == 12 and state.keys() == whole["ema"].keys()


def test_two_processes_equal_one(samples: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    arch = "\n[arch]\nwidths = [8, 8]\nblocks = [1, 1]\n"
    recipe.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in TINY.items() if k != "arch") + arch)
    base = [
        "train",
        str(recipe),
        "--data",
        str(samples),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--set",
        "steps=6",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "29641",
    ]
    for out, command in (("one", [sys.executable]), ("two", launch)):
        done = subprocess.run(
            [*command, "-m", "restore", *base, "--out", str(tmp_path / out)],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    one, two = weights(tmp_path / "one")["net"], weights(tmp_path / "two")["net"]
    for key, value in one.items():
        assert torch.allclose(value, two[key], atol=1e-5), key


def test_stops_on_a_non_finite_loss_naming_the_step(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite at step"):
        train(tiny(lr=1e30, clip=1e30, warmup=0), samples, tmp_path, device="cpu", report=quiet)


def test_a_second_run_does_not_overwrite_the_first(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="already holds a run"):
        train(tiny(), samples, tmp_path, device="cpu", report=quiet)
    with pytest.raises(UsageError, match="no usable pictures"):
        train(tiny(), tmp_path, tmp_path / "new", device="cpu", report=quiet)


def test_all_errors_of_a_recipe_at_once(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "x"\ntask = "denoise"\nsteps = "many"\nlearning_rate = 1\n')
    with pytest.raises(ConfigError) as caught:
        load_recipe(Config, recipe, ["nonsense"])
    for part in ("'learning_rate'", "steps: expected int", "'nonsense'", "missing key 'architecture'"):
        assert part in str(caught.value)
    wrong = {"architecture": "resnet", "loss": "l3", "degradation": ["noise:sgma=3"], "crop": 4}
    with pytest.raises(ConfigError) as caught:
        make_recipe(Config, {**TINY, **wrong})
    for part in ("did you mean resunet", "'l3'", "did you mean sigma", "crop: 4"):
        assert part in str(caught.value)


def test_override_reaches_into_tables(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "x"\ntask = "denoise"\narchitecture = "resunet"\n[arch]\nwidths = [8]\n')
    config = load_recipe(Config, recipe, ["arch.widths=[24, 48]", "lr=1e-4", "conditions=sigma"])
    assert config.arch["widths"] == [24, 48] and config.lr == 1e-4 and config.conditions == ("sigma",)


def test_schedule() -> None:
    config = tiny(steps=100, warmup=10, decay_share=0.5, lr=1.0)
    rates = [learning_rate(config, s) for s in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9:50] == [1.0] * 41
    assert rates[75] == pytest.approx(0.5) and 0 < rates[99] < 1e-3
    found = {"parts": {"mask": 1.0}, "mask": ["scratches"]}
    staged = tiny(
        steps=150,
        warmup=10,
        decay_share=0.5,
        lr=1.0,
        first_part="mask",
        first_share=1 / 3,
        first_lr=2.0,
        **found,
    )
    assert [learning_rate(staged, s) for s in range(50)] == pytest.approx(
        [0.2 * min(s + 1, 10) for s in range(50)]
    )
    assert [learning_rate(staged, s + 50) for s in range(100)] == rates


def test_an_estimates_loss_is_relative_above_and_absolute_below() -> None:
    truth = torch.tensor([[0.0, 9.0], [0.1, 9.0], [0.2, 9.0]])  # a second condition is not what is estimated
    batch = {"degraded": torch.zeros(3, 3, 8, 8), "conditions": truth}
    step = estimate_step(tiny())

    def loss(*estimates: float) -> float:
        return float(step(lambda x: torch.tensor(estimates), batch, 0))

    assert loss(0.0, 0.1, 0.2) == 0
    small = 5 / 255
    assert loss(small, 0.1, 0.2) == pytest.approx(1 / 3), "5/255 too much where there is none"
    assert loss(0.0, 0.05, 0.26) == pytest.approx((0.05 / (0.1 + small) + 0.06 / (0.2 + small)) / 3, rel=1e-5)


def test_batches_depend_on_seed_and_step_alone(samples: Path) -> None:
    pictures = open_library(samples, long_sides=(), min_side=64, hold_out=1).train
    config = tiny(grey_share=0.5)
    cpu = torch.device("cpu")
    whole = batch_maker(config, pictures, cpu)(3)
    parts = [batch_maker(config, pictures, cpu, part=(rank, 2))(3) for rank in range(2)]
    for key, value in whole.items():
        assert torch.equal(value, torch.cat([p[key] for p in parts])), key
    again = batch_maker(tiny(grey_share=0.5, seed=1), pictures, cpu)(3)
    assert not torch.equal(whole["clean"], again["clean"])
    noise = (whole["degraded"] - whole["clean"]).flatten(1)
    assert torch.allclose(noise.std(1), whole["conditions"][:, 0], rtol=0.1, atol=1e-7)


def test_sizes_take_their_kernels_in_turn(samples: Path) -> None:
    sizes = {"long_sides": (150, 120), "min_downscale": 1.5, "min_side": 64, "hold_out": 1}
    plain = open_library(samples, **sizes).train  # type: ignore[arg-type]
    mixed = open_library(samples, shrink_by=("lanczos", "linear"), **sizes).train  # type: ignore[arg-type]
    same = [bool((a == b).all()) for a, b in zip(plain, mixed, strict=True)]
    assert [a.shape for a in plain] == [a.shape for a in mixed] and sum(same) == len(same) // 2
    with pytest.raises(ConfigError, match="shrink_by"):
        tiny(shrink_by=("best",))


def test_two_folders_matched_by_name(samples: Path, tmp_path: Path) -> None:
    restore.degrade_folder(samples, tmp_path / "noisy", degradation="noise:sigma=25", format="tiff")
    pairs = tiny(degradation=[], conditions=[], validation=[], arch={**TINY["arch"], "conditions": 0})
    library = open_pairs(samples, tmp_path / "noisy", min_side=64, hold_out=1)
    batch = batch_maker(pairs, library.train, torch.device("cpu"))(0)
    noise = (batch["degraded"] - batch["clean"]).std()
    assert 0.07 < float(noise) < 0.11  # the same place of both pictures
    result = train(pairs, samples, tmp_path / "run", degraded=tmp_path / "noisy", device="cpu", report=quiet)
    assert result.best > 15
    with pytest.raises(UsageError, match="bring their own"):
        train(tiny(), samples, tmp_path / "no", degraded=tmp_path / "noisy", device="cpu", report=quiet)
    with pytest.raises(UsageError, match="partner"):
        open_pairs(samples, tmp_path / "run")


def test_killed_run_resumes(samples: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    arch = "\n[arch]\nwidths = [8, 8]\nblocks = [1, 1]\n"
    recipe.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in TINY.items() if k != "arch") + arch)
    command = [sys.executable, "-m", "restore", "train", str(recipe), "--data", str(samples), "--out"]
    command += [str(tmp_path / "run"), "--device", "cpu", "--set", "steps=100000"]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    reached = weights(tmp_path / "run")["step"]
    config = tiny(steps=reached + 4)
    result = train(config, samples, tmp_path / "run", resume=True, device="cpu", report=quiet)
    assert weights(tmp_path / "run")["step"] == reached + 4 and result.best > 0
