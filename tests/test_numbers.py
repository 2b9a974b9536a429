"""Numbers in the README and the cards are those of the committed benchmark results."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
ZOO = ROOT / "models" / "zoo"
PLACES = ("README.md", "models/zoo/denoise/card.md")


def result(name: str) -> dict[str, Any]:
    return json.loads((ZOO / "denoise" / name).read_text())


def table(path: str, mark: str) -> dict[str, list[str]]:
    """The rows of the table behind ``<!-- mark -->``, by their first cell."""
    text = (ROOT / path).read_text()
    assert f"<!-- {mark} -->" in text, f"{path} has no table {mark}"
    lines = text.split(f"<!-- {mark} -->", 1)[1].strip().splitlines()
    rows = list(itertools.takewhile(lambda line: line.startswith("|"), lines))
    cells = [[c.strip() for c in row.strip("|").split("|")] for row in rows[2:]]
    return {re.sub(r"[`*]", "", first): rest for first, *rest in cells}


@pytest.mark.parametrize("path", PLACES)
def test_kodak24_table_is_the_committed_result(path: str) -> None:
    found = table(path, "kodak24-awgn")
    ours = {
        key: row for key, row in found.items() if key in {"denoise", "denoise:sigma=known", "nlm:sigma=known"}
    }
    assert len(ours) == 3
    for model, cells in ours.items():
        for sigma, cell in zip((15, 25, 50), cells, strict=False):
            (row,) = (
                r
                for r in result("kodak24-awgn.json")["summary"]
                if r["model"] == model and r["degradation"] == f"awgn:sigma={sigma}"
            )
            assert cell == f"{row['psnr']:.2f}", (model, sigma)


def test_results_belong_to_the_shipped_weights() -> None:
    from restore.models.registry import SHIPPED

    for name in ("kodak24-awgn.json", "kodak24-clean.json", "kodak24-speed.json"):
        used = result(name)["environment"]["weights"]
        for model in ("denoise", "noise-level"):
            assert used[model] == SHIPPED[model].sha256, (name, model)


def test_bars_that_are_claimed_are_met() -> None:
    rows = {(r["model"], r["degradation"]): r for r in result("kodak24-awgn.json")["summary"]}
    for sigma in (15, 25, 50):
        blind, known = (rows[m, f"awgn:sigma={sigma}"]["psnr"] for m in ("denoise", "denoise:sigma=known"))
        assert blind > known - 0.2
    (golden,) = (
        r
        for r in json.loads((ROOT / "restore/classical/results/set5-bicubic.json").read_text())["summary"]
        if r["degradation"] == "downsample:scale=4"
    )
    assert golden["psnr_y"] == pytest.approx(28.43, abs=0.005)
