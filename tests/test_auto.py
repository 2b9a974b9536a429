"""`auto`: what it finds, what it decides, what it leaves alone, and how the command says so."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore.bench.tables.auto import confusion, degraded, per_family
from restore.bench.tables.opinions import run_opinions
from restore.degradations import degradation
from restore.errors import UsageError
from restore.files.jpeg import nearest_quality
from restore.image import quantise
from restore.metrics import psnr
from restore.resample import imresize
from restore.restorers import Finding, names
from restore.restorers.auto import decide
from restore.restorers.findings import Judgement
from restore.restorers.look import look_places
from restore.restorers.remedies import ORDER, REMEDIES
from restore.restorers.second import SecondOpinion


def finding(
    name: str, severity: float = 3.0, confidence: float = 0.99, value: float | None = None
) -> Finding:
    return Finding(name, severity, confidence, value, "sigma" if value else "")


def stored(x: torch.Tensor) -> np.ndarray:
    return (quantise(x.clamp(0, 1))[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


def test_things_are_undone_backwards_and_only_where_that_is_known_to_help() -> None:
    there = {"denoise", "reapplication", "dcp", "gamma", "directional"}
    found = [finding("lowlight"), finding("haze"), finding("jpeg", value=23.4)]
    judged = decide(found, there=there)
    assert judged.actions == ("reapplication:quality=23", "dcp:omega=0.7", "gamma")
    assert decide([finding("noise"), finding("jpeg", value=9)], there={*there, "dejpeg"}).actions == (
        "dejpeg",
        "denoise",
    )
    weak = decide([finding("noise", severity=0.2), finding("haze", confidence=0.6)], there=there)
    assert weak.actions == () and len(weak.left) == 2
    alone = decide([finding("snow")], there=there)
    assert alone.actions == () and alone.left == ("snow: no restorer for it",)
    under = decide([finding("haze"), finding("underwater")], there={*there, "white-balance"})
    assert under.actions == ("white-balance",) and under.left == ("haze: undone with underwater",)
    many = [finding(r.family, severity=1.2 + i / 10, value=20) for i, r in enumerate(REMEDIES)]
    actions = decide(many, there={*there, "white-balance"}).actions
    assert len(actions) == 3 and list(ORDER).index("lowlight") == len(ORDER) - 1 and actions[-1] == "gamma"


def test_a_remedy_is_used_from_its_threshold_on() -> None:
    """At the severity and the confidence of the table, not only beyond."""
    for remedy in REMEDIES:
        name = remedy.restorers[0].partition(":")[0]

        def decided(severity: float, confidence: float, r=remedy, name=name) -> tuple[str, ...]:
            found = Finding(r.family, severity, confidence, 2.0, kind=r.kind)
            return decide([found], there={name}).actions

        assert len(decided(remedy.severity, remedy.confidence)) == 1
        assert decided(remedy.severity - 1e-6, 1.0) == decided(5.0, remedy.confidence - 1e-6) == ()


def test_the_three_worst_are_undone_by_how_bad_and_how_sure_they_are() -> None:
    there = {r.restorers[0].partition(":")[0] for r in REMEDIES}
    found = [
        finding("jpeg", severity=2.0, confidence=0.95, value=30),
        finding("noise", severity=1.0, confidence=0.99),
        finding("rain", severity=1.8, confidence=1.0),
        finding("snow", severity=1.75, confidence=1.0),
    ]
    assert decide(found, there=there).actions == ("dejpeg", "derain", "desnow")


def test_restoring_pixels_without_a_diagnosis_makes_one(photo: np.ndarray) -> None:
    auto, crop = restore.load("auto", device="cpu"), photo[40:168, 100:260]
    left = auto.restore_pixels(crop, judged=Judgement((), ()))
    assert np.array_equal(left, crop) and not np.shares_memory(left, crop)
    draw = np.random.default_rng(0).normal(0, 25, crop.shape)
    noisy = np.clip(crop + draw, 0, 255).astype(np.uint8)
    shares: list[float] = []
    alone = auto.restore_pixels(noisy, progress=shares.append)
    assert np.array_equal(alone, auto.restore_pixels(noisy, judged=auto.find(noisy)))
    error = [np.mean((p.astype(float) - crop) ** 2) for p in (noisy, alone)]
    assert error[1] < 0.3 * error[0] and alone.dtype == np.uint8
    assert shares[-1] == 1 and shares == sorted(shares)
    # A tensor goes the same way; what comes out is a picture.
    x = torch.from_numpy(noisy.copy()).permute(2, 0, 1)[None].float() / 255
    made = auto(x)
    assert float(made.min()) >= 0 and float(made.max()) <= 1
    assert np.abs(stored(made).astype(int) - alone).max() <= 1


def test_every_step_of_a_chain_is_given_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a restorer leaves outside of [0, 1] is cut before the next sees it."""
    auto = restore.load("auto", device="cpu")
    seen: list[torch.Tensor] = []

    def over(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return 2 * x - 0.5

    chain = Judgement((), ("first", "second"))
    monkeypatch.setattr(auto, "judge", lambda *a, **k: chain)
    monkeypatch.setattr(auto, "_restorer", lambda name: over)
    x = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    y = auto(x)
    assert len(seen) == 4, "each picture of a batch by itself"
    assert all(float(s.min()) >= 0 and float(s.max()) <= 1 for s in seen)
    once = (2 * x - 0.5).clamp(0, 1)
    assert torch.allclose(y, (2 * once - 0.5).clamp(0, 1))


def test_every_remedy_that_is_there_can_be_loaded() -> None:
    for remedy in REMEDIES:
        name = remedy.choose(set(names()))
        if name is not None:
            value = 2 if remedy.family == "downsampled" else 50
            assert restore.load(name.format(value=value)).spec.scale == 1


def test_windows_start_on_the_blocks_of_a_jpeg() -> None:
    for size in ((100, 100), (192, 200), (500, 500), (3001, 4003)):
        places = look_places(*size)
        assert 1 <= len(places) <= 9 and len(set(places)) == len(places)
        for top, bottom, left, right in places:
            assert top % 8 == 0 and left % 8 == 0 and 0 < bottom - top <= 192 and right <= size[1]


@pytest.mark.parametrize("quality", [8, 30, 50, 77, 95])
def test_the_quality_of_a_file_is_read_from_its_tables(quality: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        tables = tuple(tuple(t) for t in image.quantization.values())  # type: ignore[attr-defined]
    assert nearest_quality(tables) == quality


def test_a_coarse_file_is_said_to_be_one(photo: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=35)
    with Image.open(file) as image:
        tables = tuple(tuple(t) for t in image.quantization.values())  # type: ignore[attr-defined]
        judged = restore.load("auto").find(np.asarray(image), tables=tables)
    assert judged is not None
    (found,) = [f for f in judged.findings if f.name == "jpeg"]
    assert found.value == 35 and found.unit == "quality"


def test_noise_is_found_measured_and_removed_and_clean_is_left_alone(photo_tensor: torch.Tensor) -> None:
    auto = restore.load("auto")
    clean = (photo_tensor[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    judged = auto.find(clean)
    assert judged is not None and judged.actions == () and np.array_equal(auto(clean), clean)
    noisy, _ = degradation("noise:sigma=30")(photo_tensor, generator=torch.Generator().manual_seed(0))
    noisy = quantise(noisy)
    pixels = (noisy[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    judged = auto.find(pixels)
    assert judged is not None and judged.findings[0].name == "noise" and "denoise" in judged.actions
    assert judged.findings[0].value is not None and 22 < judged.findings[0].value < 34
    out = auto(noisy)
    assert float(psnr(out, photo_tensor)) > float(psnr(noisy, photo_tensor)) + 6
    # An array, a tensor and the module say the same; no size breaks it.
    same = torch.from_numpy(auto(pixels)).permute(2, 0, 1)[None].float() / 255
    assert float((same - out).abs().max()) < 0.02
    assert float((auto.as_module()(noisy) - out).abs().max()) < 0.02
    for size in ((1, 1), (7, 300), (64, 64)):
        assert auto(np.full((*size, 3), 90, np.uint8)).shape == (*size, 3)


def test_the_command_explains_and_reports(photo: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).normal(0, 30, photo.shape)
    Image.fromarray(np.clip(photo + noise, 0, 255).astype(np.uint8)).save(tmp_path / "in" / "noisy.png")
    Image.fromarray(photo).save(tmp_path / "in" / "clean.png")
    report, page = tmp_path / "r.json", tmp_path / "p.html"
    run = [sys.executable, "-m", "restore", "run", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    wanted = ["-m", "auto", "--explain", "--threads", "1", "--json", str(report), "--html", str(page)]
    made = subprocess.run([*run, *wanted], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    lines = made.stdout.splitlines()
    assert lines[0].startswith("clean.png:") and lines[0].endswith("left as it is")
    assert "noise: sigma about" in lines[1] and "-> denoise" in lines[1]
    done = {o["file"]: o for o in json.loads(report.read_text())["done"]}
    assert done["noisy.png"]["findings"][0]["name"] == "noise" and not done["clean.png"]["changed"]
    assert (tmp_path / "out" / "clean.png").read_bytes() == (tmp_path / "in" / "clean.png").read_bytes()
    assert "noise: sigma about" in page.read_text()
    other = subprocess.run([*run, "-m", "denoise", "--explain"], capture_output=True, text=True)
    assert other.returncode == 2 and "-m auto" in other.stderr


def test_the_benchmark_counts_what_was_named(photo_tensor: torch.Tensor) -> None:
    x = degraded(photo_tensor[..., :64, :64], ("jpeg", "noise"), 3, seed=1, turn=0)
    assert torch.equal(x, degraded(photo_tensor[..., :64, :64], ("noise", "jpeg"), 3, seed=1, turn=0))
    rows = [
        {"family": "noise", "named": "noise", "before": 20.0, "after": 28.0},
        {"family": "noise", "named": "jpeg", "before": 20.0, "after": 19.0},
    ]
    (first, *_) = [r for r in per_family([*rows, *_others()]) if r["family"] == "noise"]
    assert first["named"] == 0.5 and first["gain"] == 3.5 and (first["better"], first["worse"]) == (1, 1)
    counts = {r["truth"]: r for r in confusion(rows, [{"named": "clean"}])}
    assert counts["noise"]["jpeg"] == 1 and counts["clean"]["clean"] == 1


def _others() -> list[dict[str, object]]:
    from restore.degradations.families import FAMILIES

    return [{"family": f, "named": f, "before": 1.0, "after": 1.0} for f in FAMILIES if f != "noise"]


def test_scratches_are_found_however_large_the_scan_and_rain_is_none(photo_tensor: torch.Tensor) -> None:
    auto = restore.load("auto", device="cpu")
    for x in (photo_tensor, imresize(photo_tensor, scale=3).clamp(0, 1)):
        clean, scratched, rain = (
            auto.find(stored(y))
            for y in (x, *(restore.degrade(x, f"{d}:severity=4", seed=1)[0] for d in ("scratches", "rain")))
        )
        assert "oldphoto" in scratched.actions and not {"oldphoto"} & {*clean.actions, *rain.actions}
        (damage,) = [f for f in scratched.findings if f.name == "damage"]
        assert damage.confidence > 0.9 and damage.severity > 2


def test_drops_must_be_found_by_their_finder(photo_tensor: torch.Tensor) -> None:
    auto = restore.load("auto", device="cpu")
    wet = restore.degrade(photo_tensor, "raindrop:severity=4", seed=1)[0]
    assert "raindrop" in auto.find(stored(wet)).actions and not auto.find(stored(photo_tensor)).actions


def test_a_second_opinion_wants_less_where_it_agrees() -> None:
    opinion = SecondOpinion(pixel=0.9, alone=0.03, agreed=0.01, severity_3=0.05)
    none, some, much = (torch.zeros(1, 1, 10, 100) for _ in range(3))
    some[..., 0, :20], much[..., :5, :] = 1, 1
    assert opinion.judge(none, suspected=True) == (0, 0) == opinion.judge(some)
    assert 0.9 < opinion.judge(some, suspected=True)[0] < opinion.judge(much, suspected=True)[0] < 1
    assert opinion.judge(some, suspected=True)[1] == pytest.approx(1.2) and opinion.judge(much)[1] == 5


def test_the_table_of_second_opinions_counts_who_passes(samples: Path, tmp_path: Path) -> None:
    found = run_opinions(samples, limit=1)
    by = {row["condition"]: row for row in found["summary"]}
    assert by["raindrop:severity=5"]["wet"] == 100 and by["clean"]["wet"] == by["clean"]["marked"] == 0
    assert len(found["shares"]["clean"]["wet"]) == 1 and "clean, 192 px by box" in by
    with pytest.raises(UsageError, match="no pictures"):
        run_opinions(tmp_path)


def test_noise_that_neighbours_share_is_a_cameras(photo_tensor: torch.Tensor) -> None:
    auto = restore.load("auto", device="cpu")
    for spec, kind, model in (
        ("noise:sigma=40", "", "denoise"),
        ("raw-noise:severity=4", "correlated", "denoise-raw"),
    ):
        noisy, _ = restore.degrade(photo_tensor, [spec, "quantise:bits=8"], seed=0)
        judged = auto.find((noisy[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
        assert judged is not None
        (noise,) = (f for f in judged.findings if f.name == "noise")
        assert noise.kind == kind and noise.to_json().get("kind", "") == kind
        assert model in judged.actions and str(noise).startswith(f"{kind} noise".strip())
