"""The evaluations of dark pictures and the ablation, in miniature."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restore.bench.tables import dark_classes, unreferenced
from restore.bench.tables.dark_classes import label_of, paired_interval, run_classes
from restore.errors import UsageError
from restore.train.games import ablation

RECIPE = """
name = "tiny"
task = "enlighten"
architecture = "enlighten"
step = "unpaired"
degradation = ["lowlight-gamma"]
features = "random-s4"
batch = 2
crop = 32
patch = 16
patches = 1
long_sides = []
min_side = 48
hold_out = 1
validation_crop = 48
precision = "fp32"
arch = { base = 2, pools = 1, norm = "pixel", shrink = 2, head = "affine" }
critics = { global = { n_layers = 1, ndf = 2 }, local = { n_layers = 1, ndf = 2 } }
"""


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dark crops of a photograph, named by classes."""
    from skimage import data

    root = tmp_path_factory.mktemp("dark")
    for i in range(3):
        pixels = data.astronaut()[40 * i : 40 * i + 200, 100:308] // 5
        Image.fromarray(pixels).save(root / f"{i:04d}_{i}.png")
    return root


def test_unreferenced(dark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"json": tmp_path / "out.json", "markdown": tmp_path / "out.md", "sheet": tmp_path / "out.png"}
    words = [
        "--data",
        str(dark),
        "-m",
        "gamma:gamma=0.4,equalize",
        "--limit",
        "2",
        "--save",
        str(tmp_path / "made"),
    ]
    for option, path in files.items():
        words += [f"--{option}", str(path)]
    assert unreferenced.main(words) == 0
    found = json.loads(files["json"].read_text())
    rows = {row["model"]: row for row in found["summary"]}
    assert list(rows) == ["input", "gamma:gamma=0.4", "equalize"] and found["data"]["pictures"] == 2
    first = rows["input"]
    assert (
        first["noise"] == 1.0 and first["cast"] == 0.0 and first["more_burnt"] == 0 and first["luma"] < 0.15
    )
    assert rows["equalize"]["luma"] == pytest.approx(0.5, abs=0.1) and rows["equalize"]["in_range"] == 2
    assert all(math.isfinite(row[key]) for row in rows.values() for key in ("niqe", "brisque", "misexposure"))
    assert files["markdown"].read_text() in capsys.readouterr().out
    assert len(list((tmp_path / "made").rglob("*.png"))) == 4 and files["sheet"].exists()
    assert unreferenced.main(["--data", str(dark), "-m", "gama"]) == 2


class LumaClasses(torch.nn.Module):
    """Says class 0 for what is bright and class 1 for what is dark."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(1, 10)
        scores[0, 0], scores[0, 1] = x.mean(), -x.mean()
        scores[0, 2:6] = 0.9 * x.mean().abs()
        return scores


def test_classes(dark: Path) -> None:
    spec = "lowlight-gamma:severity=3"
    found = run_classes(dark, ["gamma:gamma=0.3"], [spec], classifier=LumaClasses())
    rows = {(r["degradation"], r["model"]): r for r in found["summary"]}
    # All three pictures are dark: only the one of class 1 is right, and always.
    assert rows["clean", "clean"]["top1"] == rows[spec, "input"]["top1"] == pytest.approx(100 / 3)
    assert rows[spec, "gamma:gamma=0.3"]["gain1_interval"] and rows[spec, "input"]["gain1"] is None
    assert label_of(Path("0007_x.jpg")) == 7
    with pytest.raises(UsageError, match="class index"):
        label_of(Path("cat.png"))
    assert dark_classes.view(torch.rand(1, 3, 300, 400)).shape == (1, 3, 224, 224)


def test_paired_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(3, 10, 400)
    low, high = paired_interval(values)
    error = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - error, abs=0.1) and high == pytest.approx(
        values.mean() + error, abs=0.1
    )


def test_ablation(dark: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    words = [
        "--recipe",
        str(tmp_path / "recipe.toml"),
        "--data",
        str(dark),
        "--test",
        str(dark),
        "--steps",
        "1",
    ]
    words += ["--out", str(tmp_path / "runs"), "--seeds", "0", "1", "--variant", "whole", "--variant"]
    words += ["without local critic", "--limit", "1", "--json", str(tmp_path / "out.json"), "--threads", "1"]
    assert ablation.main(words) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert [row["variant"] for row in found["summary"]] == ["whole", "without local critic"]
    assert all(row["seeds"] == 2 and row["psnr_spread"] >= 0 and row["psnr"] > 5 for row in found["summary"])
    logs = {p.parent.name: p.read_text() for p in (tmp_path / "runs").rglob("log.jsonl")}
    assert "critic_local" in logs["whole-0"] and "critic_local" not in logs["without-local-critic-1"]
    stamp = (tmp_path / "runs" / "whole-0" / "last.pt").stat().st_mtime_ns
    assert ablation.main(words) == 0  # nothing is trained twice
    assert (tmp_path / "runs" / "whole-0" / "last.pt").stat().st_mtime_ns == stamp
