"""The bench, against scores computed by hand."""

from __future__ import annotations

import json
import math
import sys
import time
import types

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from restore.bench import parse_gates, run_bench, split_models
from restore.bench.conditions import parse_condition
from restore.bench.contenders import Contender
from restore.bench.measure import run_measured
from restore.bench.save import slug
from restore.degradations import degradation
from restore.degradations.sample import child_seed, generator
from restore.errors import UsageError
from restore.image import array_to_tensor
from restore.report import dumps
from restore.tools.bench import bench as bench_command


def half(x: torch.Tensor) -> torch.Tensor:
    """A model whose result is easy to compute again."""
    return 0.5 * x + 0.25


@pytest.fixture
def photos(tmp_path):
    """Three pictures, one below a folder and one grey; sizes are odd."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(skimage.data.astronaut()[100:141, 200:247]).save(folder / "b.png")
    Image.fromarray(skimage.data.coffee()[100:141, 200:247]).save(folder / "sub" / "a.png")
    Image.fromarray(skimage.data.camera()[100:133, 200:231]).save(folder / "grey.png")
    return folder


def entry(result, model):
    """The summary of one model."""
    (found,) = [e for e in result.summary if e["model"] == model]
    return found


# --- conditions and names


def test_a_condition_is_one_degradation_or_steps_joined_by_plus():
    single = parse_condition("noise:sigma=2.5e+1")
    assert (single.label, single.scale, single.border, single.known("sigma")) == ("noise:sigma=25", 1, 0, 25)
    both = parse_condition("blur:sigma=2 + downsample:scale=2+downsample:scale=2 + noise:sigma=10")
    assert [s.name for s in both.degradation.steps] == ["blur", "downsample", "downsample", "noise"]
    assert (both.scale, both.border) == (4, 4)
    with pytest.raises(UsageError, match="does not fix one sigma"):
        both.known("sigma")


@pytest.mark.parametrize("text", ["downsample", "downsample:scale=2..4", "noise:sigma=5 + ", "noisy"])
def test_conditions_that_cannot_be_scored_are_refused(text):
    with pytest.raises(UsageError):
        parse_condition(text)


def test_commas_separate_names_and_values():
    texts = ["denoise,nlm:sigma=25,h=3", "tv", "denoise", "peer:bm3d:sigma=5,x.safetensors"]
    expected = ["denoise", "nlm:sigma=25,h=3", "tv", "peer:bm3d:sigma=5", "x.safetensors"]
    assert split_models(texts) == expected
    with pytest.raises(UsageError, match="at least one model"):
        split_models([" , "])


def test_gates_are_numbers_by_metric():
    assert parse_gates(["psnr=30", "ssim=.8"]) == {"psnr": 30.0, "ssim": 0.8}
    for wrong in ("psrn=30", "psnr", "psnr=high"):
        with pytest.raises(UsageError):
            parse_gates([wrong])


# --- the bench


def test_rows_are_what_the_protocol_says(photos):
    result = run_bench(photos, degradations=["noise:sigma=40"], models=[("half", half)], seed=7)
    assert [(r["image"], r["model"]) for r in result.rows] == [
        (image, model) for image in ("b.png", "grey.png", "sub/a.png") for model in ("input", "half")
    ]
    for image in ("b.png", "grey.png", "sub/a.png"):
        clean = array_to_tensor(np.asarray(Image.open(photos / image)))
        g = generator(child_seed(7, image))
        noisy, _ = degradation("noise:sigma=40")(clean, generator=g)
        assert float(noisy.min()) < 0  # the model sees it unclipped
        for model, out in (("input", noisy), ("half", half(noisy))):
            (row,) = [r for r in result.rows if (r["image"], r["model"]) == (image, model)]
            theirs = peak_signal_noise_ratio(
                clean.double().numpy(), out.clamp(0, 1).double().numpy(), data_range=1.0
            )
            assert row["psnr"] == pytest.approx(theirs, abs=1e-4)
            assert row["megapixels"] == clean[0, 0].numel() / 1e6
            assert (row["seconds"] is None) == (model == "input")
    ours, start = entry(result, "half"), entry(result, "input")
    mine = [r["psnr"] for r in result.rows if r["model"] == "half"]
    assert ours["psnr"] == pytest.approx(sum(mine) / 3) and ours["images"] == 3
    assert ours["gain"] == pytest.approx(ours["psnr"] - start["psnr"]) and start["gain"] is None
    assert result.protocol == (
        "psnr-rgb+grey,y601/ssim-gauss11-sigma1.5-valid/noise:sigma=40-seed7-by-path/in-float-unclipped/"
        "out-clamped-unrounded/border0/mean-of-images"
    )
    assert result.data["folder"] == "photos" and result.data["pictures"] == 3
    assert str(photos.parent) not in dumps(result.to_json())


def test_a_score_depends_on_nothing_but_its_picture(photos, tmp_path):
    conditions = ["noise:sigma=30", "poisson-gaussian:severity=3"]
    alone = run_bench(photos, degradations=conditions[:1], models=[("half", half)], limit=1)
    among = run_bench(photos, degradations=conditions[::-1], models=[("half", half), ("same", torch.clone)])
    pick = ("b.png", "half", "noise:sigma=30")
    scores = [
        [r["psnr"], r["ssim_y"]]
        for result in (alone, among)
        for r in result.rows
        if (r["image"], r["model"], r["degradation"]) == pick
    ]
    assert len(scores) == 2 and scores[0] == scores[1]
    assert alone.data["of"] == 3 and alone.data["pixels"] != among.data["pixels"]
    again = run_bench(photos, degradations=conditions[:1], models=[("half", half)])
    assert again.data["pixels"] == among.data["pixels"]


def test_benchmark_noise_is_the_literatures(photos):
    result = run_bench(photos / "b.png", degradations=["awgn:sigma=25"], models=[("same", torch.clone)])
    clean = np.asarray(Image.open(photos / "b.png")) / 255
    noisy = clean + np.random.RandomState(0).normal(0, 25 / 255, clean.shape)
    expected = peak_signal_noise_ratio(clean, noisy.clip(0, 1), data_range=1.0)
    assert entry(result, "same")["psnr"] == pytest.approx(expected, abs=1e-4)
    assert "awgn:sigma=25-npseed0/in-float-unclipped" in result.protocol


def test_enlargement_is_scored_inside_a_border_on_the_cut_reference(photos):
    result = run_bench(
        photos,
        degradations=["downsample:scale=3", "noise:sigma=5"],
        models=[
            "nearest",
            ("same", torch.clone),
            ("blocks", lambda x: torch.nn.functional.interpolate(x, scale_factor=3)),
        ],
    )
    of = {(r["image"], r["model"]): r for r in result.rows if r["degradation"] == "downsample:scale=3"}
    row = of["b.png", "nearest"]
    assert (row["height"], row["width"]) == (39, 45)
    assert row["psnr"] == pytest.approx(of["b.png", "blocks"]["psnr"], abs=0.01)
    assert of["b.png", "bicubic"]["psnr"] > row["psnr"]
    clean = np.asarray(Image.open(photos / "b.png"))[:39, :45]
    small, _ = degradation("downsample:scale=3")(array_to_tensor(clean), generator=generator(0))
    large = small[0].permute(1, 2, 0).numpy().repeat(3, 0).repeat(3, 1)
    inside = (slice(3, -3), slice(3, -3))
    expected = peak_signal_noise_ratio((clean / 255)[inside], large.astype(float)[inside], data_range=1.0)
    assert of["b.png", "blocks"]["psnr"] == pytest.approx(expected, abs=1e-3)
    # Wrong sizes are failures of that model alone; a restorer of another scale is left out, and said to be.
    assert {f["model"] for f in result.failures} == {"same", "blocks"}
    assert [(s["model"], s["degradation"]) for s in result.skipped] == [("nearest", "noise:sigma=5")]
    first = next(e for e in result.summary if e["degradation"] == "downsample:scale=3")
    assert (first["model"], first["judged"]) == ("bicubic", False)
    assert "crop-to-multiple-of-3/border3" in result.protocol.split(" ; ")[0]


def test_what_cannot_be_done_is_named_and_the_rest_goes_on(photos):
    (photos / "broken.png").write_bytes(b"no picture")

    def picky(x):
        if x.shape[1] == 1:
            raise ValueError("expected colour")
        return x.mul_(0)  # spoils its input

    models = [("picky", picky), ("bad", lambda x: x * math.nan), ("same", torch.clone)]
    result = run_bench(photos, degradations=["noise:sigma=20"], models=models)
    failed = {(f["image"], f.get("model")) for f in result.failures}
    assert failed == {
        ("broken.png", None),
        ("grey.png", "picky"),
        *((image, "bad") for image in ("b.png", "grey.png", "sub/a.png")),
    }
    assert "picky raised ValueError: expected colour" in {f["error"] for f in result.failures}
    assert entry(result, "picky")["images"] == 2 and entry(result, "same")["images"] == 3
    assert entry(result, "same")["psnr"] == entry(result, "input")["psnr"]
    assert math.isnan(entry(result, "bad")["psnr"])
    assert result.data["pictures"] == 3 and "broken.png" in result.markdown()
    missed = result.missed({"psnr": 15.0})
    assert [m.split()[0] for m in missed] == ["picky", "bad"]
    read = json.loads(dumps(result.to_json()), parse_constant=lambda name: pytest.fail(name))
    assert set(read) >= {"schema", "protocol", "environment", "rows", "summary"} and read["schema"] == 1
    keys = {
        "model",
        "degradation",
        "psnr",
        "psnr_y",
        "ssim",
        "ssim_y",
        "seconds_per_megapixel",
        "peak_memory_mb",
    }
    assert all(keys <= set(e) for e in read["summary"])


def test_wrong_use_is_refused_before_any_work(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no pictures"):
        run_bench(tmp_path / "empty", degradations=["noise:sigma=5"], models=[("same", torch.clone)])
    with pytest.raises(UsageError, match="unknown restorer"):
        run_bench(photos, degradations=["noise:sigma=5"], models="denoize")
    with pytest.raises(UsageError, match="label of its own"):
        run_bench(photos, degradations=["noise:sigma=5"], models=[("input", half)])
    with pytest.raises(UsageError, match="bicubic fits no degradation"):
        run_bench(photos, degradations=["noise:sigma=5"], models="bicubic")
    Image.new("RGB", (20, 20)).save(photos / "b.jpg")
    with pytest.raises(UsageError, match="one file"):
        run_bench(photos, degradations=["clip"], models=[("same", torch.clone)], save=tmp_path / "out")


def test_known_stands_for_what_the_degradation_fixes(photos):
    result = run_bench(
        photos / "b.png",
        degradations=["noise:sigma=10", "noise:sigma=40"],
        models="nlm:sigma=known,nlm:sigma=40",
    )
    scores = {(e["degradation"], e["model"]): e["psnr"] for e in result.summary}
    assert scores["noise:sigma=40", "nlm:sigma=known"] == scores["noise:sigma=40", "nlm:sigma=40"]
    assert scores["noise:sigma=10", "nlm:sigma=known"] > scores["noise:sigma=10", "nlm:sigma=40"] + 1
    with pytest.raises(UsageError, match="does not fix one sigma"):
        run_bench(photos, degradations=["blur:sigma=1..2"], models="nlm:sigma=known")


def test_saved_pictures_are_the_scored_ones_in_eight_bits(photos, tmp_path):
    run_bench(photos, degradations=["noise:sigma=40"], models=[("half!", half)], save=tmp_path / "out")
    clean = array_to_tensor(np.asarray(Image.open(photos / "sub" / "a.png")))
    noisy, _ = degradation("noise:sigma=40")(clean, generator=generator(child_seed(0, "sub/a.png")))
    expected = (half(noisy)[0].clamp(0, 1) * 255 + 0.5).floor().permute(1, 2, 0).numpy()
    saved = np.asarray(Image.open(tmp_path / "out" / "noise_sigma=40" / "half_" / "sub" / "a.png"))
    assert np.array_equal(saved, expected)
    assert slug("../a: b") == "_a_b" and slug("..") == "_"


def test_a_peer_gets_the_conditions_noise_level(photos, monkeypatch):
    asked = []
    fake = types.ModuleType("bm3d")
    fake.bm3d_rgb = lambda z, sigma: asked.append((z.shape, z.dtype, sigma)) or z
    fake.bm3d = lambda z, sigma: asked.append((z.shape, z.dtype, sigma)) or z
    monkeypatch.setitem(sys.modules, "bm3d", fake)
    result = run_bench(photos, degradations=["noise:sigma=25"], models="peer:bm3d")
    assert {a[0] for a in asked} == {(41, 47, 3), (33, 31)}
    assert all(a[1] == np.float64 and a[2] == pytest.approx(25 / 255) for a in asked)
    assert entry(result, "peer:bm3d")["psnr"] == pytest.approx(entry(result, "input")["psnr"], abs=1e-5)
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(UsageError, match="pip install bm3d"):
        run_bench(photos, degradations=["noise:sigma=25"], models="peer:bm3d")
    with pytest.raises(UsageError, match="unknown peer"):
        run_bench(photos, degradations=["noise:sigma=25"], models="peer:bm4d")


# --- what it costs


def test_every_shape_is_warmed_up_once_and_time_is_time():
    calls = []

    def rests(x):
        calls.append(tuple(x.shape))
        time.sleep(0.05)
        return x

    contender = Contender("rests", rests)
    shapes = [(1, 3, 8, 8), (1, 3, 8, 8), (1, 1, 8, 8)]
    costs = [run_measured(contender, torch.zeros(shape))[1] for shape in shapes]
    assert calls == [shapes[0], *shapes[:2], shapes[2], shapes[2]]
    assert all(0.05 <= c.seconds < 1 and c.cpu_seconds < c.seconds for c in costs)


def test_peak_memory_is_the_growth_while_it_runs():
    def hungry(x):
        return x + torch.ones(50_000_000).sum() * 0  # 191 MiB, gone at the end

    greedy, modest = Contender("hungry", hungry), Contender("modest", torch.clone)
    x = torch.zeros(1, 3, 16, 16)
    run_measured(greedy, x)
    run_measured(modest, x)
    assert 180 < greedy.peak_memory_mb < 260
    assert modest.peak_memory_mb < 40


def test_bench_command_writes_everything_and_obeys_its_gate(photos, tmp_path, command):
    options = ["-d", "noise:sigma=25", "-m", "nlm:sigma=known,identity", "--data", photos, "--limit", 1]
    files = {name: tmp_path / "out" / f"bench.{name}" for name in ("md", "html", "png")}
    targets = ["--markdown", files["md"], "--html", files["html"], "--sheet", files["png"]]
    done = command(bench_command, *options, "--json", "-", *targets, "--fail-under", "ssim=0.01")
    assert done.exit_code == 0, done.output
    read = json.loads(done.stdout)  # nothing but JSON on stdout
    assert [e["model"] for e in read["summary"]] == ["input", "nlm:sigma=known", "identity"]
    assert read["protocol"] in files["md"].read_text() and 'type="range"' in files["html"].read_text()
    assert Image.open(files["png"]).size[0] > 3 * 31 * 2
    assert "[3/3]" in done.stderr and "nlm" in done.stderr
    short = command(bench_command, *options, "--fail-under", "psnr=60")
    assert short.exit_code == 1 and "missed: nlm:sigma=known on noise:sigma=25: psnr" in short.stderr
    assert "missed: input" not in short.stderr and "nlm" in short.stdout
    (photos / "a.png").write_bytes(b"")
    assert command(bench_command, *options, "--json", "-").exit_code == 1


def test_two_outputs_cannot_share_stdout(photos, command):
    options = ["-d", "noise:sigma=25", "-m", "identity", "--data", photos]
    refused = command(bench_command, *options, "--json", "-", "--markdown", "-")
    assert isinstance(refused.exception, UsageError) and refused.stdout == ""


def test_an_identical_picture_neither_lifts_the_mean_nor_passes_the_gate(tmp_path):
    Image.new("RGB", (24, 24), (128, 128, 128)).save(tmp_path / "flat.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(
        tmp_path / "noise.png"
    )

    def mean(x):
        return x if x.amax() == x.amin() else x.mean((2, 3), keepdim=True).expand_as(x)

    result = run_bench(tmp_path, degradations=["clip"], models=[("mean", mean)])
    scores = {r["image"]: r["psnr"] for r in result.rows if r["model"] == "mean"}
    found = entry(result, "mean")
    assert np.isinf(scores["flat.png"]) and scores["noise.png"] < 30
    assert found["psnr"] == scores["noise.png"] and found["identical"]["psnr"] == 1
    assert entry(result, "input")["identical"]["psnr"] == 2 and np.isinf(entry(result, "input")["psnr"])
    (missed,) = result.missed({"psnr": 30.0})
    assert "mean on" in missed and f"{found['psnr']:.4g}" in missed
