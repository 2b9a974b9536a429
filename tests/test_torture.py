"""A little of each of the large trials in ``tests/torture`` (``make torture``)."""

from __future__ import annotations

from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code
from torture import damage, hostile, kills, many, sides, specimens, training
from torture.fuzz import fuzz, fuzz_command
from torture.operators import DroppedSeed, LargerConstant, RemovedClamp, SwappedAxes

LINUX = Path("/proc/self/clear_refs").exists()


def test_damaged_files_are_always_the_same_and_seldom_whole() -> None:
    files = [damage.damaged(1, index) for index in range(200)]
    assert [f.data for f in files] == [damage.damaged(1, index).data for index in range(200)]
    assert sum(f.data != f.original for f in files) > 190
    assert {f.suffix for f in files} == {suffix for suffix, _ in specimens.specimens()}
    assert files[0].data != damage.damaged(2, 0).data


def test_damaged_pictures_are_read_whole_or_refused_in_words() -> None:
    told = fuzz(21, range(150))
    outcomes = [one["outcome"] for one in told]
    assert len(told) == 150 and outcomes.count("written") > 20 and outcomes.count("refused") > 40
    # Words of C libraries reach a caller of Python's; the command keeps them to itself.
    assert [one for one in told if set(one["found"]) - {"words"}] == []


def test_the_command_writes_or_names_every_damaged_picture() -> None:
    told = fuzz_command(22, 40)
    assert told["found"] == [] and told["written"] > 5, told


@pytest.mark.parametrize("what", ["run", "degrade"])
def test_a_folder_run_survives_being_killed(what: str) -> None:
    told = kills.kill_runs(3, 1, what=what, pictures=8)
    assert told["kills"] == 3 and told["found"] == {}


def test_a_killed_training_ends_bit_for_bit_like_another() -> None:
    told = training.kill_training(2, 1, steps=8)
    assert told["kills"] == 2 and told["finished"] >= 1 and told["found"] == {}


def test_memory_is_flat_over_pictures() -> None:
    held = many.memory_over(60)
    assert max(held[1:]) - held[0] < many.SLACK


@pytest.mark.parametrize(
    "name", ["denoise", "dejpeg", "deblur", "inpaint", "bm3d", "sr-x2", "telea", "clahe"]
)
def test_small_sides(name: str) -> None:
    assert name in sides.shipped()
    assert list(sides.sides_of(name, (1, 2, 3, 17))) == []


def test_hostile_weights_run_nothing() -> None:
    told = hostile.try_all(
        only=("shell.pth", "shell-zip.pth", "cycle.pth", "huge-header.safetensors", "zeros.png")
    )
    assert len(told) == 5 and all(hostile.is_right(file, said) for file, said in told.items()), told
    assert hostile.outcome(lambda: "x" * (3 << 30)).startswith("MemoryError")
    assert hostile.outcome(lambda: None) == "taken" and not hostile.is_right("claims.png", "taken")


@pytest.mark.parametrize("operator", [DroppedSeed, LargerConstant, RemovedClamp, SwappedAxes])
def test_planted_faults_are_those_of_their_examples(operator: type) -> None:
    for example in operator.examples():
        made = mutate_code(example.pre_mutation_code, operator(), example.occurrence)
        assert made == example.post_mutation_code
