"""Adversarial training: resume, several processes, health, two folders that have nothing to do with each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore.errors import ConfigError, RestoreError, TrainingError, UsageError
from restore.models.features import feature_net
from restore.models.weights import read_weights
from restore.train.games.board import set_up
from restore.train.games.calm import calm_loss
from restore.train.games.config import GameConfig, build_critics
from restore.train.games.data import open_sides
from restore.train.games.health import validation_alarms, watcher
from restore.train.games.play import Round, Rules, Turn, play
from restore.train.games.run import play_recipe
from restore.train.games.unpaired import patches_of, unpaired_batches, unpaired_turns
from restore.train.processes import Processes
from restore.train.recipe import load_recipe, make_recipe
from restore.train.run import start_network

TINY: dict[str, Any] = {
    "name": "tiny",
    "task": "enlighten",
    "architecture": "enlighten",
    "arch": {"base": 4, "pools": 2, "norm": "batch", "shrink": 2, "head": "affine"},
    "step": "unpaired",
    "critics": {"global": {"n_layers": 2, "ndf": 4}, "local": {"n_layers": 1, "ndf": 4}},
    "features": "random-s4",
    "steps": 6,
    "batch": 4,
    "crop": 32,
    "patch": 16,
    "patches": 2,
    "precision": "fp32",
    "hold_out": 1,
    "validation_crop": 48,
    "validate_every": 2,
    "log_every": 1,
    "sheets": 1,
}
CPU = torch.device("cpu")


def tiny(**changes: Any) -> GameConfig:
    return make_recipe(GameConfig, {**TINY, **changes})


def quiet(text: str) -> None:
    pass


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Dark and well-lit pictures of different things."""
    from skimage import data

    root = tmp_path_factory.mktemp("sides")
    sides = {"dark": ("astronaut", "rocket", "cat"), "bright": ("coffee", "retina", "colorwheel")}
    for side, names in sides.items():
        (root / side).mkdir()
        for name in names:
            pixels = getattr(data, name)()[:96, :96, :3].astype(float)
            pixels = (pixels / 4).astype(np.uint8) if side == "dark" else pixels.astype(np.uint8)
            Image.fromarray(pixels).save(root / side / f"{name}.png")
    return root / "dark", root / "bright"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of eight well-lit pictures."""
    from skimage import data

    root = tmp_path_factory.mktemp("many")
    for i in range(8):
        Image.fromarray(data.astronaut()[: 70 + i, 60 * i : 60 * i + 70]).save(root / f"{i}.png")
    return root


def run(config: GameConfig, out: Path, folders: tuple[Path, Path], **more: Any) -> Any:
    given = {"device": "cpu", "threads": 1, "report": quiet, **more}
    return play_recipe(config, out, low=folders[0], normal=folders[1], **given)


def checkpoint(out: Path) -> dict[str, Any]:
    return torch.load(out / "last.pt", weights_only=True)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def numbers(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("steps_per_second", "data_share")} for line in lines]


def test_resumed_equals_uninterrupted_with_critics_and_optimisers(folders, tmp_path: Path) -> None:
    run(tiny(), tmp_path / "whole", folders)

    class Stop(Exception):
        pass

    def stop(text: str) -> None:
        if text.startswith("step 5/"):
            raise Stop

    with pytest.raises(Stop):
        run(tiny(), tmp_path / "parts", folders, report=stop)
    assert checkpoint(tmp_path / "parts")["step"] == 4
    run(tiny(), tmp_path / "parts", folders, resume=True)
    whole, parts = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts")
    assert set(whole["nets"]) == set(whole["optimizers"]) == {"generator", "global", "local"}
    assert same(whole, parts)
    assert numbers(tmp_path / "whole") == numbers(tmp_path / "parts")
    assert same(*(read_weights(tmp_path / p / "averaged.safetensors")[0] for p in ("whole", "parts")))
    _, header = read_weights(tmp_path / "whole" / "averaged.safetensors")
    assert header["features"] == "random-s4" and header["manifest"].startswith("blake2b:")
    assert sorted(p.name for p in (tmp_path / "whole" / "samples").iterdir()) == [
        f"step-00000{n}.png" for n in (2, 4, 6)
    ]
    out = restore.load(str(tmp_path / "whole" / "averaged.safetensors"))(torch.full((1, 3, 33, 40), 0.2))
    assert out.shape == (1, 3, 33, 40)
    with pytest.raises(UsageError, match="already holds"):
        run(tiny(), tmp_path / "whole", folders)
    # Adaptation: a run that starts from those weights and hardly moves ends where it started.
    trained = tmp_path / "whole" / "averaged.safetensors"
    run(tiny(steps=1, lr=1e-12), tmp_path / "adapted", folders, init=trained)
    before, after = (read_weights(p)[0] for p in (trained, tmp_path / "adapted" / "averaged.safetensors"))
    key = "encoder.0.0.0.weight"
    assert torch.allclose(before[key], after[key], atol=1e-6)


def test_two_processes_equal_one(folders, tmp_path: Path) -> None:
    # Batch statistics are each process's own; every other norm sees the same in one process as in two.
    values = {**TINY, "steps": 1, "arch": {**TINY["arch"], "norm": "pixel"}}
    tables = {k: v for k, v in values.items() if isinstance(v, dict)}
    text = "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items() if k not in tables)
    text += "".join(f"{k} = {_inline(v)}\n" for k, v in tables.items())
    (tmp_path / "recipe.toml").write_text(text)
    base = ["-m", "restore", "train", str(tmp_path / "recipe.toml"), "--device", "cpu", "--threads", "1"]
    base += ["--low", str(folders[0]), "--normal", str(folders[1])]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29647"]
    done = subprocess.run(
        [sys.executable, *launch, *base, "--out", str(tmp_path / "two")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    run(load_recipe(GameConfig, tmp_path / "recipe.toml"), tmp_path / "one", folders)
    one, two = (checkpoint(tmp_path / out)["optimizers"] for out in ("one", "two"))
    for name, optimizer in one.items():  # the first moments after one step are the gradients
        for place, moments in optimizer["state"].items():
            mine, theirs = moments["exp_avg"], two[name]["state"][place]["exp_avg"]
            assert torch.allclose(mine, theirs, atol=1e-3 * float(mine.abs().max()) + 1e-7), (name, place)
    logs = [[x for x in numbers(tmp_path / out) if "critic_global" in x] for out in ("one", "two")]
    # Spreads are those of a process's own samples; losses and margins are those of the whole batch.
    for a, b in zip(*logs, strict=True):
        for key in ("global", "local", "feature", "critic_global", "critic_local", "margin_global"):
            assert a[key] == pytest.approx(b[key], rel=1e-3, abs=1e-5), key


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def test_batches(folders) -> None:
    config = tiny(jitter_share=0.5, batch=8)
    sides = open_sides(config, data=None, low=folders[0], normal=folders[1], report=quiet)
    whole = unpaired_batches(config, sides, CPU)(3)
    parts = [unpaired_batches(config, sides, CPU, part=(rank, 2))(3) for rank in range(2)]
    for key in ("low", "input", "normal"):
        assert torch.equal(whole[key], torch.cat([p[key] for p in parts])), key
    assert all(torch.equal(whole["offsets"], p["offsets"]) for p in parts)
    ratio = (whole["low"].mean((1, 2, 3)) / whole["input"].mean((1, 2, 3))).tolist()
    touched = [r for r in ratio if r > 1.001]
    assert 0 < len(touched) < 8 and all(2 <= r <= 4.001 for r in touched)
    patches = patches_of(whole["low"], whole["offsets"], 16)
    assert patches.shape == (16, 3, 16, 16)
    top, left = whole["offsets"][1].tolist()
    assert torch.equal(patches[8], whole["low"][0, :, top : top + 16, left : left + 16])
    with pytest.raises(UsageError, match="share evenly"):
        unpaired_batches(config, sides, CPU, part=(0, 3))


def test_one_folder_is_split_into_halves_that_share_nothing(many: Path) -> None:
    config = tiny(degradation=["lowlight-gamma"], long_sides=[], min_side=64)
    sides = open_sides(config, data=many, low=None, normal=None, report=quiet)
    seen = {p.tobytes() for p in sides.low} | {y.numpy().tobytes() for _, y in sides.held if y is not None}
    assert sides.low and sides.normal and not seen & {p.tobytes() for p in sides.normal}
    (dark, clean), *_ = sides.held
    assert clean is not None and float(dark.mean()) < float(clean.mean())
    with pytest.raises(UsageError, match="degradation"):
        open_sides(tiny(), data=many, low=None, normal=None, report=quiet)
    with pytest.raises(UsageError, match="well-lit"):
        open_sides(tiny(), data=None, low=many, normal=None, report=quiet)
    with pytest.raises(UsageError, match="either"):
        open_sides(tiny(), data=many, low=many, normal=None, report=quiet)


def test_noise_is_taught_on_dimmed_good_pictures(folders) -> None:
    config = tiny(weights={"calm": 2.0}, batch=8, calm_sigma=0.05)
    sides = open_sides(config, data=None, low=folders[0], normal=folders[1], report=quiet)
    whole = unpaired_batches(config, sides, CPU)(0)
    parts = [unpaired_batches(config, sides, CPU, part=(rank, 2))(0) for rank in range(2)]
    for key in ("dim", "noisy"):
        assert torch.equal(whole[key], torch.cat([p[key] for p in parts])), key
    light = whole["normal"].mean((1, 2, 3))
    ratio = (light / whole["dim"].mean((1, 2, 3)))[light > 0.02].tolist()  # a picture has a black corner
    assert all(0.999 <= r <= 12 for r in ratio) and max(ratio) > 2
    noise = whole["noisy"] - whole["dim"]
    assert 0.005 < float(noise.std()) < 0.05
    # The simulated camera's noise spreads over neighbours of its mosaic: 8 samples hold some of both kinds.
    alike = ((noise[..., 1:] * noise[..., :-1]).mean((1, 2, 3)) / noise.square().mean((1, 2, 3))).tolist()
    assert min(alike) < 0.15 < 0.2 < max(alike)
    plain = unpaired_batches(tiny(batch=8), sides, CPU)(0)
    assert "noisy" not in plain and torch.equal(plain["low"], whole["low"])
    net = torch.nn.Conv2d(3, 3, 3, padding=1)
    calm_loss(net, whole["dim"], whole["noisy"]).backward()
    assert net.weight.grad is not None and float(net.weight.grad.abs().sum()) > 0
    assert float(calm_loss(net, whole["dim"], whole["dim"]).detach()) == 0


def test_critics_do_not_paint_with_the_part_that_takes_noise_away(folders) -> None:
    arch = {"base": 4, "pools": 1, "norm": "pixel", "shrink": 2, "head": "gain", "refine": [4, 8]}
    with pytest.raises(ConfigError, match="calm"):
        tiny(arch=arch)
    config = tiny(arch=arch, weights={"calm": 1.0, "identity": 2.0})
    sides = open_sides(config, data=None, low=folders[0], normal=folders[1], report=quiet)
    torch.manual_seed(0)
    nets = {"generator": start_network(config, None), **build_critics(config)}
    seen = Round(nets, unpaired_batches(config, sides, CPU)(0), 0, {}, {})
    losses, _ = unpaired_turns(config, feature_net(config.features), Processes())[0].terms(seen)
    normal = seen.batch["normal"]
    change = (nets["generator"](normal, noisy=True) - normal).abs().mean()
    assert torch.allclose(losses["identity"], 2 * change)  # a well-lit picture is to stay as it is
    part = next(nets["generator"].refine.parameters())
    trunk = nets["generator"].head.weight
    for name, loss in losses.items():
        reached = torch.autograd.grad(loss, [part, trunk], retain_graph=True, allow_unused=True)
        assert (reached[0] is not None) == (name == "calm") and reached[1] is not None, name


@pytest.mark.parametrize("without", ["local", "feature", "relativism"])
def test_parts_can_be_left_out(without: str, folders, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"steps": 1}
    if without == "relativism":
        changes["relativistic"] = False
    else:
        changes["weights"] = {without: 0, f"{without}_local": 0} if without == "feature" else {without: 0}
    run(tiny(**changes), tmp_path, folders)
    (line,) = [line for line in numbers(tmp_path) if "luma" in line]
    assert ("critic_local" in line) == (without != "local") and ("feature" in line) == (without != "feature")


@pytest.mark.parametrize("step", ["curves", "paired-adversarial"])
def test_the_other_games(step: str, many: Path, tmp_path: Path) -> None:
    common = {"long_sides": [], "min_side": 64, "steps": 2, "hold_out": 2}
    if step == "curves":
        config = tiny(
            step=step, architecture="curve", arch={"width": 4}, critics={}, degradation=["lowlight"], **common
        )
    else:
        arch = {"backbone": "strided", "pyramid": 8, "heads": 4, "norm": "none", "widths": [4, 4, 4, 4, 4]}
        critics = {"full": {"n_layers": 2, "ndf": 4}, "patch": {"n_layers": 1, "ndf": 4, "norm": "instance"}}
        config = tiny(
            step=step, architecture="pyramid", arch=arch, critics=critics, task="deblur",
            degradation=["motion"], **common,
        )  # fmt: skip
    result = play_recipe(config, tmp_path, data=many, device="cpu", threads=1, report=quiet)
    assert result.scores["psnr"] > 5
    players = {"curves": {"generator"}, "paired-adversarial": {"generator", "full", "patch"}}[step]
    assert set(checkpoint(tmp_path)["nets"]) == players


def test_turns_move_their_players_alone_and_when_they_are_due(tmp_path: Path) -> None:
    nets = {name: torch.nn.Linear(1, 1) for name in ("generator", "critic")}
    board = set_up(nets, device=CPU, lr={"generator": 0.1, "critic": 0.0}, averaged=("generator",))
    seen: list[tuple[int, str, bool]] = []

    def terms(name: str) -> Any:
        def turn(at: Round) -> Any:
            other = "critic" if name == "generator" else "generator"
            seen.append((at.step, name, any(p.requires_grad for p in at.nets[other].parameters())))
            at.carried["sum"] = at.carried.get("sum", 0) + 1
            return {name: at.nets[name](at.batch).square().mean()}, {}

        return turn

    turns = [Turn(("generator",), terms("generator")), Turn(("critic",), terms("critic"), every=2)]
    before = nets["critic"].weight.clone()
    rules = Rules(steps=4, log_every=10, validate_every=10)
    outcome = play(
        board, turns, lambda step: torch.ones(1, 1), lambda nets, step: {"x": 1.0}, rules,
        out=tmp_path, device=CPU, report=quiet,
    )  # fmt: skip
    assert seen == [
        (0, "generator", False), (0, "critic", False), (1, "generator", False),
        (2, "generator", False), (2, "critic", False), (3, "generator", False),
    ]  # fmt: skip
    assert torch.equal(nets["critic"].weight, before) and checkpoint(tmp_path)["carried"] == {"sum": 6}
    assert outcome.scores == {"x": 1.0} and outcome.steps_per_second > 0
    assert all(p.requires_grad for net in nets.values() for p in net.parameters())


def test_collapse_has_a_name_and_ends_the_run() -> None:
    watch, carried = watcher(patience=3), {}
    well = {"contrast": 1.0, "variety": 1.0, "margin_global": 0.4, "clipped": 0.0}
    assert watch(well, carried) == []
    (alarm,) = watch({**well, "variety": 0.01}, carried)
    assert "alike" in alarm
    for _ in range(2):
        assert "flat" in watch({**well, "contrast": 0.02}, carried)[0]
    with pytest.raises(TrainingError, match="flat"):
        watch({**well, "contrast": 0.02}, carried)
    won = [watch({**well, "margin_local": 0.99}, carried) for _ in range(3)]
    assert won[:2] == [[], []] and won[2][0] == "critic won (margin_global 0.4, margin_local 0.99)"
    assert "weak" in validation_alarms({"luma_in": 0.1, "luma_out": 0.11})[0]
    assert validation_alarms({"luma_in": 0.1, "luma_out": 0.4, "burnt": 0.0, "cast": 1.0}) == []


def test_a_loss_that_is_not_finite_names_turn_and_step(folders, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"turn of .* not finite at step"):
        run(tiny(lr=1e30, clip=1e30, warmup=0), tmp_path, folders)


def test_wrong_recipes_are_told_all_at_once() -> None:
    wrong = {
        "weights": {"globl": 1, "local": -1},
        "critics": {"global": {"layers": 3}, "patch": {}},
        "features": "vgg",
        "patch": 64,
        "step": "unpaired",
    }
    with pytest.raises(ConfigError) as caught:
        tiny(**wrong)
    for part in ("did you mean global", "weights.local", "critics.global", "'patch'", "'vgg'", "patch: 64"):
        assert part in str(caught.value)
    with pytest.raises(RestoreError, match="no critic for global"):
        build_critics(tiny(critics={"local": {}}))
