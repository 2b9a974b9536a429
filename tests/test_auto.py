"""`auto`: what it finds, what it decides, what it leaves alone, and how the command says so."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import restore
from restore.bench.tables.auto import confusion, degraded, per_family
from restore.degradations import degradation
from restore.degradations.families import WIDE_FAMILIES
from restore.diagnosis.evidence import Evidence, gather_evidence
from restore.diagnosis.findings import Diagnosis
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.policy import Policy, decide, shipped_policy
from restore.diagnosis.second_look import find_harm
from restore.diagnosis.treatments import ORDER, TREATMENTS, treatment_of
from restore.errors import UsageError
from restore.files.jpeg import nearest_quality
from restore.image import quantise
from restore.metrics import psnr
from restore.restorers import names

POLICY = Policy(dict.fromkeys(WIDE_FAMILIES, 0.5), harm=0.2, risk=0.05)


def evidence(photo: np.ndarray, **probabilities: float) -> Evidence:
    """What is measured on a photograph, with probabilities, gains of 2 dB and no harm instead of learned ones."""
    measured = gather_evidence(photo)
    return replace(
        measured,
        probabilities={**dict.fromkeys(WIDE_FAMILIES, 0.0), **probabilities},
        severities=dict.fromkeys(WIDE_FAMILIES, 3.0),
        gains=dict.fromkeys(ORDER, 2.0),
        harms=dict.fromkeys(ORDER, 0.0),
    )


def stored(x: torch.Tensor) -> np.ndarray:
    return (quantise(x.clamp(0, 1))[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


def test_faults_are_undone_backwards_where_that_is_expected_to_help(photo: np.ndarray) -> None:
    there = set(names())
    found = evidence(photo, lowlight=0.9, haze=0.9, jpeg=0.9)
    assert decide(found, there=there, policy=POLICY).actions == ["dejpeg", "dehaze", "lowlight"]
    assert decide(found, there={"dejpeg"}, policy=POLICY).left == [
        "lowlight: no restorer for it", "haze: no restorer for it"
    ] or len(decide(found, there={"dejpeg"}, policy=POLICY).left) == 2  # fmt: skip
    risky = replace(found, harms={**found.harms, "dehaze": 0.3})
    diagnosis = decide(risky, there=there, policy=POLICY)
    assert diagnosis.actions == ["dejpeg", "lowlight"] and diagnosis.left == ["haze: dehaze might harm (30%)"]
    useless = replace(found, gains={**found.gains, "dejpeg": -0.2})
    assert decide(useless, there=there, policy=POLICY).left == ["jpeg: dejpeg would bring nothing"]
    for correlation, denoiser in ((1.0, "denoise"), (1.4, "denoise-raw")):
        noisy = evidence(photo, noise=0.9)
        measured = Measurement("noise correlation", correlation, 0.8, 1.6, "times white")
        noisy = replace(noisy, measurements={**noisy.measurements, "noise correlation": measured})
        assert decide(noisy, there=there, policy=POLICY).actions == [denoiser]
    water = decide(evidence(photo, haze=0.9, underwater=0.9), there=there, policy=POLICY)
    assert water.actions == ["underwater"] and water.left == ["haze: undone with underwater"]
    everything = decide(evidence(photo, **dict.fromkeys(WIDE_FAMILIES, 0.9)), there=there, policy=POLICY)
    assert len(everything.actions) == 3 and ORDER[-1] == "lowlight"
    nothing = decide(evidence(photo, haze=0.4), there=there, policy=POLICY)
    assert nothing.actions == [] and str(nothing) == "nothing wrong -> left as it is"


def test_every_treatment_can_be_loaded() -> None:
    for treatment in TREATMENTS:
        name = treatment.written({"scale": "2"})
        assert restore.load(name).spec.scale == 1 and treatment_of(name) is treatment


def test_only_certified_risks_are_taken() -> None:
    assert restore.load("auto:risk=0.05").name == "auto:risk=0.05"
    with pytest.raises(UsageError, match="certified"):
        shipped_policy(0.5)


def test_what_did_not_help_is_taken_back(photo: np.ndarray) -> None:
    was = evidence(photo, noise=0.9, haze=0.9)
    gone = replace(was, probabilities={**was.probabilities, "noise": 0.01, "haze": 0.01})
    denoise, dehaze = treatment_of("denoise"), treatment_of("dehaze")

    def harm(after: np.ndarray, now: Evidence, treatment: Any = denoise) -> str | None:
        return find_harm(photo, after, treatment=treatment, was=was, now=now, policy=POLICY)

    assert harm(photo, gone) is None
    assert harm(photo, was) == "noise is as it was"
    brighter = np.clip(photo.astype(int) + 12, 0, 255).astype(np.uint8)
    assert "brightness" in (harm(brighter, gone) or "") and harm(brighter, gone, dehaze) is None
    assert "clipped" in (harm(np.where(photo > 128, 255, photo).astype(np.uint8), gone) or "")
    louder = {**was.measurements, "noise level": Measurement("noise level", 30.0, 28.0, 32.0, "of 255")}
    quieter = replace(
        was, measurements={**was.measurements, "noise level": Measurement("", 1.0, 0, 2, "of 255")}
    )
    before = replace(was, measurements=louder)
    found = find_harm(photo, photo, treatment=denoise, was=before, now=quieter, policy=POLICY)
    assert found is None  # the measure shrank, whatever the classifier says
    diagnosis = Diagnosis([], ["denoise", "dehaze"])
    diagnosis.take_back("denoise", "noise is as it was")
    assert diagnosis.actions == ["dehaze"] and diagnosis.left == ["denoise: taken back, noise is as it was"]


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
        judged = restore.load("auto").diagnose(np.asarray(image), tables=tables)
    assert judged is not None
    (found,) = [f for f in judged.findings if f.name == "jpeg"]
    assert found.value == 35 and found.unit == "quality"


def test_noise_is_found_measured_and_removed_and_clean_is_left_alone(photo_tensor: torch.Tensor) -> None:
    auto = restore.load("auto")
    clean = (photo_tensor[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    judged = auto.diagnose(clean)
    assert judged is not None and judged.actions == [] and np.array_equal(auto(clean), clean)
    noisy, _ = degradation("noise:sigma=30")(photo_tensor, generator=torch.Generator().manual_seed(0))
    noisy = quantise(noisy)
    pixels = (noisy[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    judged = auto.diagnose(pixels)
    assert judged is not None and judged.findings[0].name == "noise"
    assert len(judged.actions) >= 1 and judged.actions[0].startswith("denoise")
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
    assert lines[0].startswith("clean.png:") and "-> left as it is" in lines[0]
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


def test_a_drawing_comes_back_bit_for_bit_unless_a_fault_is_measured_on_it() -> None:
    from restore.data.drawings import KINDS, draw_picture

    auto = restore.load("auto", device="cpu")
    for seed, kind in enumerate(list(KINDS)[::4]):
        drawing = stored(draw_picture(seed, 240, 320, kind=kind)[None])
        assert np.array_equal(auto(drawing), drawing), kind
    page = stored(draw_picture(3, 320, 240, kind="page" if "page" in KINDS else None)[None])
    noisy = np.clip(page + np.random.default_rng(0).normal(0, 20, page.shape), 0, 255).astype(np.uint8)
    diagnosis = auto.diagnose(noisy)
    assert diagnosis is not None and any("denoise" in name for name in diagnosis.actions)


def test_strong_noise_is_never_left_alone(samples: Path) -> None:
    auto = restore.load("auto", device="cpu")
    for sample in sorted(samples.glob("*.png")):
        clean = np.asarray(Image.open(sample).convert("RGB"))
        noise = np.random.default_rng(1).normal(0, 20, clean.shape)
        noisy = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
        diagnosis = auto.diagnose(noisy)
        assert diagnosis is not None and any("denoise" in name for name in diagnosis.actions), sample.name
        (found,) = (f for f in diagnosis.findings if f.name == "noise")
        assert found.value is not None and 15 < found.value < 25
