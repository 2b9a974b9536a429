"""The comparison of folders, against scores computed by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import skimage.data
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from restore.bench import compare_folders
from restore.errors import UsageError
from restore.tools.compare import compare as compare_command


@pytest.fixture
def sides(tmp_path):
    """Truth, noisy and less noisy pictures in two formats, and stray files that would shift an order."""
    rng = np.random.default_rng(0)
    names = ["a", "c/d", "e"]
    for k, name in enumerate(names):
        clean = skimage.data.astronaut()[60 * k : 60 * k + 40, :50]
        for side, sigma, ending in (("truth", 0, ".png"), ("before", 40, ".tif"), ("after", 10, ".png")):
            noisy = np.clip(clean + rng.normal(0, sigma, clean.shape), 0, 255).round().astype(np.uint8)
            path = tmp_path / side / f"{name}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noisy).save(path)
    Image.new("RGB", (50, 40)).save(tmp_path / "before" / "0_first.png")
    Image.new("RGB", (50, 40)).save(tmp_path / "after" / "b.png")
    Image.new("RGB", (50, 40)).save(tmp_path / "truth" / "z.png")
    return tmp_path


def test_pairs_are_found_by_name_and_scored_against_the_truth(sides):
    result = compare_folders(sides / "before", sides / "after", truth=sides / "truth", looks=2)
    assert [r["image"] for r in result.rows] == ["a", "c/d", "e"]
    for row in result.rows:
        truth, before, after = (
            np.asarray(Image.open(sides / side / f"{row['image']}{ending}"))
            for side, ending in (("truth", ".png"), ("before", ".tif"), ("after", ".png"))
        )
        start, end = (peak_signal_noise_ratio(truth, image) for image in (before, after))
        assert (row["psnr_before"], row["psnr_after"]) == pytest.approx((start, end), abs=1e-6)
        assert row["psnr_gain"] == pytest.approx(end - start, abs=1e-6) and row["ssim_gain"] > 0
    assert result.summary["better"] == 3 and result.summary["images"] == 3
    assert result.summary["psnr_gain"] == pytest.approx(np.mean([r["psnr_gain"] for r in result.rows]))
    assert [(u["file"], u["missing_in"]) for u in result.unpaired] == [
        ("0_first.png", "after and truth"),
        ("b.png", "before and truth"),
        ("z.png", "before and after"),
    ]
    assert not result.is_complete and len(result.looks) == 2
    assert [label for label, _ in result.looks[0].views] == ["before", "after", "truth"]


def test_a_truth_nobody_asked_for_does_not_matter(sides):
    (sides / "before" / "0_first.png").unlink()
    (sides / "after" / "b.png").unlink()
    assert compare_folders(sides / "before", sides / "after", truth=sides / "truth").is_complete


def test_without_truth_the_change_is_measured(tmp_path):
    a, b = np.full((20, 30), 100, np.uint8), np.full((20, 30), 104, np.uint8)
    b[0, 0] = 90
    Image.fromarray(a).save(tmp_path / "one.png")
    Image.fromarray(np.stack([b] * 3, 2)).save(tmp_path / "other.png")
    result = compare_folders(tmp_path / "one.png", tmp_path / "other.png")
    (row,) = result.rows
    assert row["mean_change"] == pytest.approx(4 + 6 / 600, abs=1e-4)
    assert row["largest_change"] == pytest.approx(10, abs=1e-4)
    assert row["psnr_between"] == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-4)


def test_pairs_that_do_not_fit_are_failures(sides):
    Image.new("RGB", (25, 20)).save(sides / "before" / "a.tif")
    Image.new("RGB", (49, 40)).save(sides / "after" / "e.png")
    result = compare_folders(sides / "before", sides / "after", truth=sides / "truth")
    (small,) = [r for r in result.rows if r["image"] == "a"]
    assert math.isnan(small["psnr_before"]) and math.isfinite(small["psnr_after"])
    assert [f["image"] for f in result.failures] == ["e"] and "49 x 40" in result.failures[0]["error"]
    assert [f["image"] for f in compare_folders(sides / "before", sides / "after").failures] == ["a", "e"]


def test_ambiguous_or_disjoint_folders_are_refused(sides, tmp_path):
    with pytest.raises(UsageError, match="no picture is in all of before, after"):
        compare_folders(sides / "truth" / "c", sides / "after")
    Image.new("RGB", (50, 40)).save(sides / "after" / "a.jpg")
    with pytest.raises(UsageError, match="one name without their ending"):
        compare_folders(sides / "before", sides / "after")


def test_compare_command(sides, tmp_path, command):
    page = tmp_path / "page.html"
    arguments = [sides / "before", sides / "after", "--truth", sides / "truth", "--json", "-", "--html", page]
    done = command(compare_command, *arguments)
    assert done.exit_code == 1 and "0_first.png is missing in after and truth" in done.stderr
    assert json.loads(done.stdout)["summary"]["images"] == 3 and page.read_text().count("<article>") == 3
    (sides / "before" / "0_first.png").unlink()
    (sides / "after" / "b.png").unlink()
    assert command(compare_command, sides / "before", sides / "after").exit_code == 0


def test_an_identical_picture_does_not_make_the_means_infinite(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("same", "bad", "worse"):
        truth = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        given = {"same": truth, "bad": 255 - truth, "worse": truth // 2}[name]
        after = {"same": truth, "bad": truth, "worse": truth // 3}[name]
        for side, pixels in (("before", given), ("after", after), ("truth", truth)):
            (tmp_path / side).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / side / f"{name}.png")
    result = compare_folders(tmp_path / "before", tmp_path / "after", truth=tmp_path / "truth")
    rows = {r["image"]: r for r in result.rows}
    assert np.isinf(rows["same"]["psnr_after"]) and np.isinf(rows["bad"]["psnr_after"])
    bad, worse = rows["bad"]["psnr_before"], rows["worse"]["psnr_before"]
    assert result.summary["psnr_before"] == pytest.approx((bad + worse) / 2)
    assert result.summary["psnr_after"] == pytest.approx(rows["worse"]["psnr_after"])
    assert result.summary["identical"] == {"psnr_before": 1, "psnr_after": 2, "psnr_gain": 1}
    assert (result.summary["better"], result.summary["worse"]) == (1, 1)
    assert any("psnr_after: mean over 1 of 3 pictures; 2 identical" in note for note in result.notes())
    assert "2 identical" in result.markdown()
    alike = compare_folders(tmp_path / "truth", tmp_path / "truth", truth=tmp_path / "truth")
    assert np.isinf(alike.summary["psnr_after"]) and alike.summary["psnr_gain"] == 0
