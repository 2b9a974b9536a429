"""Somebody's files: read, or refused in words within seconds and a gigabyte, and never obeyed."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from doors import MOST_MEMORY, MOST_SECONDS, Doors
from hostile import (
    ada_pickles,
    archives,
    arrays,
    configurations,
    exported,
    generators,
    graphs,
    headers,
    pickles,
    places,
    programs,
)

from restore.degradations.params import Params
from restore.degradations.presets import TABLE, degradation, replay
from restore.degradations.recorded import read_records
from restore.errors import ConfigError, RestoreError, TrainingError, UsageError
from restore.folder.manifest import NAME as MANIFEST
from restore.folder.manifest import Manifest
from restore.models.registry import build
from restore.restorers import load
from restore.train.checkpoint import read_checkpoint
from restore.train.recipe import Recipe, load_recipe

ROOT = Path(__file__).parent.parent
SMALL = {"widths": [8, 8], "blocks": [1, 1]}


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    made = Doors(ROOT)
    yield made
    made.close()


def refused(doors: Doors, pairs: list[tuple[str, Path]], *, but: tuple[str, ...] = ()) -> None:
    """Asserts that every file but those named is refused in words that name it, in time and memory."""
    wrong = []
    for door, path in pairs:
        kind, text, seconds, memory = doors.open(door, path)
        expected = "read" if path.stem in but else "refused"
        if kind != expected or seconds > MOST_SECONDS or memory > MOST_MEMORY:
            wrong.append(f"{door} {path.name}: {kind} {text} {seconds:.1f} s {memory >> 20} MB")
        elif kind == "refused" and path.stem not in text:
            wrong.append(f"{door} {path.name} is not named: {text}")
    assert not wrong, "\n".join(wrong)


def test_weights_whose_header_lies(doors: Doors, tmp_path: Path) -> None:
    found = headers(tmp_path)
    refused(doors, [(door, path) for path in found for door in ("-m", "--generator", "-c")])


def test_weights_of_ours_with_a_header_of_somebody_else(doors: Doors, tmp_path: Path) -> None:
    state = build("resunet", {**SMALL, "conditions": 1}).state_dict()
    refused(
        doors,
        [("-m", path) for path in configurations(tmp_path, {**SMALL, "conditions": 1}, state)],
        but=("good", "more-conditions"),
    )


def test_checkpoints_and_archives_of_anybody(doors: Doors, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    found = [*pickles(tmp_path, sign), *archives(tmp_path, sign)]
    refused(doors, [(door, path) for path in found for door in ("-m", "--generator")])
    assert not sign.exists()


def test_generators(doors: Doors, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    refused(doors, [("--generator", path) for path in [*ada_pickles(tmp_path, sign), *generators(tmp_path)]])
    assert not sign.exists()


def test_arrays(doors: Doors, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    refused(doors, [(door, path) for path in arrays(tmp_path, sign) for door in ("psf", "--operator")])
    assert not sign.exists()


@pytest.mark.parametrize(
    ("ending", "through"),
    [
        (".safetensors", ("-m", "--generator", "-c")),
        (".pth", ("-m", "--generator")),
        (".pkl", ("--generator",)),
        (".npy", ("psf", "--operator")),
        (".jsonl", ("--operator",)),
        (".pt", ("-m", "--generator", "-c")),
        (".onnx", ("-c",)),
    ],
)
def test_what_is_no_file(doors: Doors, tmp_path: Path, ending: str, through: tuple[str, ...]) -> None:
    refused(doors, [(door, path) for path in places(tmp_path, ending) for door in through])


def record(**changes: Any) -> dict[str, Any]:
    values = {"sigma": 0.1, "channels": 3.0}
    params = {"schema": 1, "name": "noise", "seed": 1, "strength": 1.0, "values": values}
    return {"file": "a.png", "seed": 1, "shape": [3, 24, 24], "params": {**params, **changes}}


def known_values() -> dict[str, Any]:
    """What ``noise`` draws."""
    drawn = degradation("noise").sample((1, 3, 24, 24), generator=torch.Generator().manual_seed(0))
    return dict(drawn.to_json()[0]["values"])


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "x"},
        {"seed": 1 << 70},
        {"strength": float("nan")},
        {"strength": [1]},
        {"name": ["noise"]},
        {"name": "nothing"},
        {"schema": "one"},
        {"values": 5},
        {"steps": 5},
        {"steps": [1]},
        *(
            {"sigma": wrong}
            for wrong in ("x", [1, 2, 3], -1, 1e308, float("nan"), float("inf"), None, True, {})
        ),
        {"unknown": 1.0},
    ],
    ids=str,
)
def test_recorded_parameters_of_the_wrong_kind(changes: dict[str, Any]) -> None:
    values = known_values()
    if "sigma" in changes or "unknown" in changes:
        changes = {"values": {**values, **changes}}
    params = record(**{"values": values, **changes})["params"]
    with pytest.raises(RestoreError):
        drawn = Params.from_json([params])
        replay(drawn).apply(torch.rand(1, 3, 24, 24), drawn)


def test_recorded_parameters_as_they_are_drawn() -> None:
    for name, kind in TABLE.items():
        for severity in (1, 5):
            with contextlib.suppress(UsageError):  # of another size, or in need of a file
                drawn = kind.sample(
                    (2, 3, 40, 600), severity=severity, generator=torch.Generator().manual_seed(1)
                )
                assert replay(Params.from_json(drawn.to_json())).name == name


@pytest.mark.parametrize(
    "line",
    [
        "hello", "[1, 2]", "[" * 100_000, "\0", '{"file": 1}', '{"file": "a", "file": "b"}',
        json.dumps({**record(), "shape": [3, 1e99, 40]}), json.dumps({**record(), "shape": [3, 1 << 40, 1 << 40]}),
        json.dumps({**record(), "file": ["a"]}), json.dumps({**record(), "params": []}),
    ],
    ids=lambda line: line[:20],
)  # fmt: skip
def test_files_of_parameters(tmp_path: Path, line: str) -> None:
    path = tmp_path / "params.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match="line 1"):
        read_records(path)


@pytest.mark.parametrize(
    "change",
    [
        {"output": 5}, {"output": ["x"]}, {"output": None}, {"output": "../victim"}, {"output": "/tmp/victim"},
        {"output": ""}, {"was": 7}, {"was": [1]}, {"was": ["a", "b"]}, {"size": "x"}, {"state": []},
        {"output_size": 1.5}, {"key": {}}, {"file": 3}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_lines_of_a_manifest_that_nobody_wrote_are_passed_over(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    made = Manifest(tmp_path, {"command": "run"})
    made.open()
    entry = {
        "state": "done", "file": "a.png", "size": 1, "mtime_ns": 1, "output": "a.png", "settings": made.key,
        "was": None, "output_size": 3, "record": None, "key": "",
    }  # fmt: skip
    with (tmp_path / MANIFEST).open("a") as file:
        file.write(json.dumps(entry) + "\n" + json.dumps({**entry, "output": "b.png", **change}) + "\n")
    assert list(Manifest(tmp_path, {"command": "run"}).entries) == ["a.png"]


@pytest.mark.parametrize(
    "text",
    [
        '{"schema": 1, "fingerprint": "x", "settings": 5}',
        '{"schema": 1, "fingerprint": [], "settings": {}}',
        "[" * 200_000,
    ],
    ids=["settings", "fingerprint", "deep"],
)
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text + "\n")
    with pytest.raises(UsageError, match="manifest"):
        Manifest(tmp_path, {})


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a =", "\udcff"], ids=str.__len__
)
def test_toml_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"recipe\.toml"):
        load_recipe(Recipe, path)
    with pytest.raises(ConfigError, match=r"recipe\.toml"):
        degradation(str(path))


@pytest.mark.parametrize("content", [[1, 2], {"net": 5}, {"step": "x"}, {"step": -1}, {1: {2: 3}}], ids=str)
def test_a_checkpoint_of_something_else(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "last.pt"
    torch.save(content, path)
    with pytest.raises(TrainingError, match="does not fit"):
        read_checkpoint(path, torch.device("cpu"), lambda held: held.get("net", {}).items())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TrainingError, match="cannot be read"):
        read_checkpoint(path, torch.device("cpu"), lambda held: None)


def test_classifiers(doors: Doors, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    found = [*programs(tmp_path, sign), *exported(tmp_path, sign), *graphs(tmp_path)]
    refused(doors, [("-c", path) for path in found], but=("good", "more-conditions"))
    assert not sign.exists()


def test_a_restorer_that_was_called_goes_to_another_process() -> None:
    restorer = load("denoise:sigma=25")
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = restorer(x)
    assert torch.equal(pickle.loads(pickle.dumps(restorer))(x), y)
    memory = io.BytesIO()
    torch.save(restorer, memory)
    memory.seek(0)
    assert torch.equal(torch.load(memory, weights_only=False)(x), y)
    # The first process that is asked hands it over, and has already imported what the second needs.
    with torch.multiprocessing.get_context("spawn").Pool(1) as pool:
        assert torch.equal(pool.apply(restorer, (x,)), y)


@pytest.mark.parametrize("cast", ["double", "half", "bfloat16"])
@pytest.mark.parametrize("name", ["denoise:sigma=25", "denoise", "deblur", "auto"])
def test_a_module_that_is_cast_leaves_its_restorer_alone(cast: str, name: str) -> None:
    restorer = load(name, precision="fp32", engine="torch")
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    untouched = load(name, precision="fp32", engine="torch")(x)
    module = getattr(restorer.as_module(), cast)()
    assert torch.equal(restorer(x), untouched)
    kind = {"double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16}[cast]
    assert module(x.to(kind)).dtype == kind
    assert float((module(x.to(kind)) - untouched).abs().max()) < 0.05
    assert torch.equal(restorer(x), untouched)


def test_a_module_is_traced_and_compiled() -> None:
    module = load("denoise:sigma=25").as_module()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # what depends on the picture is a constant
        traced = torch.jit.trace(module, (x,))  # raises where its own check fails
    exact = load("denoise:sigma=25", precision="fp32", engine="torch")(x)
    assert float((traced(x) - exact).abs().max()) < 1e-4
    assert torch.equal(torch.compile(module, backend="eager", fullgraph=False)(x), module(x))
