"""Somebody's files: read, or refused in words within seconds and a gigabyte, and never obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import MOST_MEMORY, MOST_SECONDS, Doors
from hostile import ada_pickles, archives, arrays, configurations, generators, headers, pickles, places

from restore.models.registry import build

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
        [("-m", path) for path in configurations(tmp_path, {**SMALL, "conditions": 1}, state)], but=("good",)
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
