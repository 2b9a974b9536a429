"""Degraded folders: the same bytes from the same seed, or from what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made import load, pictures, pixels, save

from restore.errors import UsageError
from restore.folder import degrade_folder


def test_degradations_depend_on_seed_and_path_alone(photos: Path, tmp_path: Path) -> None:
    how = {"degradation": "noise:sigma=5..50", "seed": 7}
    degrade_folder(photos, tmp_path / "all", params=tmp_path / "all.jsonl", **how)
    for i in (1, 2):
        degrade_folder(photos, tmp_path / "parts", shard=(i, 2), params=tmp_path / "parts.jsonl", **how)
    degrade_folder([photos / "sub", photos / "grey.png"], tmp_path / "some", **how)
    degrade_folder(photos, tmp_path / "other", degradation="noise:sigma=5..50", seed=8)
    for name in pictures(photos):
        bytes_ = (tmp_path / "all" / name).read_bytes()
        assert bytes_ == (tmp_path / "parts" / name).read_bytes()
        assert bytes_ != (tmp_path / "other" / name).read_bytes()
        if (tmp_path / "some" / name).exists():
            assert bytes_ == (tmp_path / "some" / name).read_bytes()
    assert (tmp_path / "all.jsonl").read_text() == (tmp_path / "parts.jsonl").read_text()
    records = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [r["file"] for r in records] == sorted(pictures(photos))
    assert records[0]["shape"] == [3, 20, 30] and records[1]["shape"] == [1, 21, 13]
    sigmas = [r["params"]["values"]["sigma"] * 255 for r in records]
    assert len(set(sigmas)) == 5 and all(5 <= s <= 50 for s in sigmas)
    # Alpha is nobody's to degrade.
    assert np.array_equal(
        load(photos / "sub/deep/alpha.png")[:, :, 3], load(tmp_path / "all/sub/deep/alpha.png")[:, :, 3]
    )


def test_recorded_parameters_give_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.jsonl"
    steps = ["poisson-gaussian", "noise:channels=grey"]
    degrade_folder(photos, tmp_path / "a", degradation=steps, severity=2.5, seed=3, params=params)
    save(photos / "new.png", pixels(9, 9))
    result = degrade_folder(photos, tmp_path / "b", replay=params, params=tmp_path / "again.jsonl")
    assert [o.file for o in result.failed] == ["new.png"]
    for name in set(pictures(photos)) - {"new.png"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "again.jsonl").read_text() == params.read_text()

    smaller = degrade_folder(photos, tmp_path / "small", degradation="downsample:scale=2")
    assert len(smaller.done) == 6 and load(tmp_path / "small/sub/deep/alpha.png").shape == (9, 6, 4)

    with pytest.raises(UsageError):
        degrade_folder(photos, tmp_path / "c", degradation="noise", replay=params)
    with pytest.raises(UsageError):
        degrade_folder(photos, tmp_path / "c")
    with pytest.raises(UsageError, match="in the way"):
        degrade_folder(photos, tmp_path / "c", degradation="noise", params=photos / "a.png")
