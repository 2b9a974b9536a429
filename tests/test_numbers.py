"""Numbers in the README and the cards are those of the committed benchmark results."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import restore
from restore.bench.tables import cards

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
    ours = {key.removesuffix(" (OpenVINO)"): row for key, row in found.items() if "published" not in key}
    assert {"denoise", "denoise:sigma=known", "denoise:turns=2", "nlm:sigma=known"} <= set(ours)
    measured = {
        (r["model"], r["degradation"]): r
        for file in ("kodak24-turns.json", "kodak24-awgn.json")
        for r in result(file)["summary"]
    }
    for model, cells in ours.items():
        for sigma, cell in zip((15, 25, 50), cells, strict=False):
            row = measured[model, f"awgn:sigma={sigma}"]
            assert cell == f"{row['psnr']:.2f}", (model, sigma)


def test_results_belong_to_the_shipped_weights() -> None:
    from restore.models.registry import SHIPPED

    for name in ("kodak24-awgn.json", "kodak24-turns.json", "kodak24-clean.json", "kodak24-speed.json"):
        used = result(name)["environment"]["weights"]
        for model in ("denoise", "noise-level"):
            assert used[model] == SHIPPED[model].sha256, (name, model)


def benches() -> list[tuple[str, str]]:
    """Every table of the benches that belong to shipped models."""
    from restore.models.registry import SHIPPED
    from restore.restorers.composed import COMPOSED

    found = {path.parent.name: tomllib.loads(path.read_text()) for path in ZOO.glob("*/bench.toml")}
    there = {*SHIPPED, *COMPOSED}
    return [(name, bench) for name, tables in found.items() if name in there for bench in tables]


@pytest.mark.parametrize(("name", "bench"), benches())
def test_every_shipped_model_has_its_results_and_its_card_quotes_them(name: str, bench: str) -> None:
    from restore.models.registry import SHIPPED
    from restore.restorers.composed import COMPOSED

    measured = json.loads((ZOO / name / f"{bench}.json").read_text())
    for needed in COMPOSED[name].needs if name in COMPOSED else (name,):
        assert measured["environment"]["weights"][needed] == SHIPPED[needed].sha256
    assert not measured["failures"]
    card = (ZOO / name / "card.md").read_text()
    assert f"{bench}.md" in card and "before-after.jpg" in card
    gains = [r["psnr"] for r in measured["summary"] if r["model"] == name]
    scores = [r["psnr_y"] for r in measured["summary"] if r["model"] == name]
    assert any(all(f"{x:.2f}" in card for x in column) for column in (gains, scores))


def test_cards_and_readme_quote_the_committed_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert cards.main(["--check"]) == 0, capsys.readouterr().err
    assert table("README.md", "tasks")
    card = "| Set, PSNR in dB | degraded | `a` | gain |\n|---|---|---|---|\n| `x` | 1 | 2 | 3 |\n"
    rows = {("x", "input"): {"psnr": 20.004}, ("x", "a"): {"psnr": 21.5, "improved": 1.0}}
    header = [c.strip() for c in card.splitlines()[0].strip("|").split("|")]
    assert cards.card_rows(header, rows) == [["`x`", "20.00", "21.50", "+1.50"]]


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


@pytest.mark.parametrize("name", sorted(path.parent.name for path in ZOO.glob("*/intervals.json")))
def test_shipped_intervals_are_of_these_weights_and_hold(name: str) -> None:
    table = restore.load(name).calibration()
    measured = json.loads((ZOO / name / "kodak24-intervals.json").read_text())
    assert measured["calibration"]["identity"] == table.identity
    right = [r for r in measured["rows"] if r["kind"] == "right" and r["level"] == 0.9]
    assert right and all(abs(r["coverage"] - 0.9) <= 0.02 for r in right)
    assert "kodak24-intervals.md" in (ZOO / name / "card.md").read_text()
