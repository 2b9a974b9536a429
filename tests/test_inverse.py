"""Solvers for a known degradation: closed forms against dense algebra, priors, data consistency, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import restore
from restore.classical.deconvolve import wiener
from restore.degradations import operators as op
from restore.degradations.psf import gaussian_psf, motion_psf
from restore.errors import ImageError, UsageError
from restore.files.psf import read_psf
from restore.inverse import (
    data_consistency,
    deep_image_prior,
    open_known,
    plug_and_play,
    total_variation,
)
from restore.inverse.normal import normal_equations
from restore.inverse.plug_and_play import turn, unturn
from restore.metrics import psnr

SHAPE = (1, 6, 12)
SIZE = 72


def field(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def psf(rows: int, columns: int, seed: int = 0) -> Tensor:
    made = field(rows, columns, seed=seed).abs()
    return made / made.sum()


def quarter() -> Tensor:
    return (torch.rand(6, 12, generator=torch.Generator().manual_seed(4)) < 0.4).double()


OPERATORS = {
    "identity": (lambda: op.identity(SHAPE), True),
    "blur, wrapped": (lambda: op.blur(psf(5, 3), SHAPE, border="wrap"), True),
    "blur, one psf a sample": (lambda: op.blur([psf(5, 3), psf(3, 7)], SHAPE, border="wrap"), True),
    "blur, mirrored": (lambda: op.blur(psf(5, 3), SHAPE), False),
    "mask": (lambda: op.masking(quarter(), SHAPE), True),
    "fourier": (lambda: op.fourier(quarter(), SHAPE), True),
    "wrapped blur, every second": (
        lambda: op.blur(psf(5, 3), SHAPE, border="wrap").then(op.stride(SHAPE, scale=2, offset=1)), True,
    ),
    "wrapped blur, every third": (
        lambda: op.blur(psf(5, 3), SHAPE, border="wrap").then(op.stride(SHAPE, scale=3)), True,
    ),
    "mirrored blur, every fifth": (
        lambda: op.blur(psf(5, 3), SHAPE).then(op.stride(SHAPE, scale=5, offset=2)), False,
    ),
    "bicubic": (lambda: op.downsample(SHAPE, scale=2), False),
    "compressed sensing": (lambda: op.compressed_sensing(SHAPE, count=20), False),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_normal_equations_are_those_of_dense_algebra(name: str) -> None:
    make, closed = OPERATORS[name]
    a = make()
    normal = normal_equations(a, tolerance=1e-10, iterations=500)
    assert (normal.closed is not None) == closed
    b, alpha = field(2, *SHAPE), torch.tensor([0.01, 0.3], dtype=torch.float64).view(2, 1, 1, 1)
    x = normal.solve(b, alpha)
    unit = torch.eye(SIZE, dtype=torch.float64).view(SIZE, *SHAPE)
    for i in range(2):
        kernels = a.parts.get("psf", [None])
        own = op.blur(kernels[i], SHAPE, border="wrap") if len(kernels) > 1 else a
        dense = own.normal(unit).flatten(1) + float(alpha[i]) * torch.eye(SIZE, dtype=torch.float64)
        assert torch.allclose(x[i], torch.linalg.solve(dense, b[i].flatten()).view(SHAPE), atol=1e-8)


def test_with_an_identity_for_a_prior_it_is_the_regularised_inverse() -> None:
    a = op.blur(psf(5, 3), SHAPE, border="wrap")
    y = a(field(1, *SHAPE))
    found = plug_and_play(y, a, lambda x, s: x, sigma=0.1, steps=1, start=0.1, weight=0.5, initial=0 * y)
    unit = torch.eye(SIZE, dtype=torch.float64).view(SIZE, *SHAPE)
    dense = a(unit).flatten(1).T
    inverse = torch.linalg.solve(dense.T @ dense + 0.5 * torch.eye(SIZE), dense.T @ y.flatten())
    assert torch.allclose(found.image.flatten(), inverse, atol=1e-9)


def test_total_variation_of_a_step_is_known_in_closed_form() -> None:
    # Each side moves towards the other by weight * length of the edge / its area (Strong & Chan 2003).
    y = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    y[..., 3:] = 1
    x = total_variation(y, op.identity((1, 4, 6)), sigma=0.1, weight=0.6, iterations=600, tolerance=0).image
    assert torch.allclose(x[..., :3], torch.full_like(x[..., :3], 0.06 / 3), atol=1e-4)
    assert torch.allclose(x[..., 3:], torch.full_like(x[..., 3:], 1 - 0.06 / 3), atol=1e-4)


def test_data_consistency_counts_what_was_measured() -> None:
    keep = quarter()
    a = op.masking(keep, SHAPE)
    x, noise = field(1, *SHAPE), field(1, *SHAPE, seed=1)
    y = a(x + 0.1 * noise)
    expected = ((noise * keep).square().sum() / keep.sum()).sqrt()
    assert float(data_consistency(x, y, a, 0.1)) == pytest.approx(float(expected))
    blur = op.blur(gaussian_psf(1.0), SHAPE)
    assert float(data_consistency(x, blur(x), blur, 0.1)) == pytest.approx(0, abs=1e-9)


def test_deblurs_better_than_wiener_and_agrees_with_the_data(photo_tensor: Tensor) -> None:
    x = photo_tensor[..., 60:100, 100:148]
    kernel = motion_psf(8, seed=3)
    y = op.blur(kernel, (3, 40, 48))(x)
    y = y + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    net = restore.load("pnp:steps=6", operator=kernel, sigma=2.55, precision="fp32")
    simple = max(float(psnr(wiener(y, kernel, sigma=0.01 * m), x)) for m in (1, 2))
    assert float(psnr(net(y), x)) > simple + 1
    assert 0.8 < net.diagnostics["data_consistency"] < 1.1


def test_total_variation_deblurs_and_without_a_prior_the_data_is_fitted_ever_better(
    photo_tensor: Tensor,
) -> None:
    x = photo_tensor[..., 60:100, 100:148]
    a = op.blur(motion_psf(8, seed=3), (3, 40, 48), border="wrap")
    y = a(x) + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    smooth = total_variation(y, a, sigma=0.01, iterations=60)
    assert float(psnr(smooth.image, x)) > float(psnr(y, x)) + 2
    trace = plug_and_play(y, a, lambda z, s: z, sigma=0.01, steps=4, turns=False).trace["data_consistency"]
    assert trace == sorted(trace, reverse=True)  # iterated Tikhonov


def test_holes_are_filled_and_paint_is_taken_off(photo_tensor: Tensor) -> None:
    x = photo_tensor[..., 60:92, 100:140]
    y, records = restore.degrade(x, ["mask:shape=strokes,cover=0.1,value=0.7", "noise:sigma=2.55"], seed=2)
    before = float(psnr(y, x))
    for name in ("telea", "biharmonic", "pnp:steps=4", "tv-inverse:iterations=60"):
        net = restore.load(name, operator=records[0], precision="fp32")
        assert float(psnr(net(y), x)) > before + 6, name
        assert net.diagnostics["sigma"] == pytest.approx(2.55)


def test_deep_image_prior_fits_the_picture_and_stops(photo_tensor: Tensor) -> None:
    x = photo_tensor[..., 60:92, 100:132]
    a = op.masking(
        (torch.rand(32, 32, generator=torch.Generator().manual_seed(1)) < 0.6).float(), (3, 32, 32)
    )
    y = a(x)
    found = deep_image_prior(y, a, sigma=0.03, iterations=50, seed=1)
    assert float(found.data_consistency) <= 1 or found.iterations == 50
    assert found.trace["data_consistency"][-1] < found.trace["data_consistency"][0]
    assert float(psnr(found.image, x)) > float(psnr(y, x)) + 8


def test_each_kind_of_knowledge_opens(tmp_path: Path, photo: np.ndarray) -> None:
    y = torch.zeros(1, 3, 8, 9)
    kernel = np.zeros((5, 3))
    kernel[1, 2] = 4
    np.save(tmp_path / "psf.npy", kernel)
    a = open_known(tmp_path / "psf.npy").of("x.png", y).operator
    assert torch.equal(a.parts["psf"][0], torch.from_numpy(kernel / 4))
    Image.fromarray((kernel * 60).astype(np.uint8)).save(tmp_path / "psf.png")
    assert torch.allclose(read_psf(tmp_path / "psf.png"), torch.from_numpy(kernel / 4))
    part = np.ascontiguousarray(photo[:24, :30])
    by_name = restore.load(f"wiener:psf={tmp_path / 'psf.npy'}")(part)
    assert np.array_equal(by_name, restore.load("wiener", operator=a.parts["psf"][0])(part))
    masks = tmp_path / "masks"
    masks.mkdir()
    hole = np.zeros((8, 9), np.uint8)
    hole[2:4, 5] = 255
    Image.fromarray(hole).save(masks / "x.png")
    seen = open_known(masks).of("x.jpg", y + 0.5)
    assert torch.equal(seen.operator(y + 1)[0, 0] == 0, torch.from_numpy(hole > 0))
    assert open_known(masks).key("x.png") != "" and open_known(masks).key("z.png") == ""
    with pytest.raises(ImageError, match="no mask"):
        open_known(masks).of("z.png", y)
    with pytest.raises(UsageError, match="odd"):
        np.save(tmp_path / "even.npy", np.ones((2, 2)))
        open_known(tmp_path / "even.npy")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_measurements_that_are_not_finite_are_refused(bad: float) -> None:
    a = op.blur(gaussian_psf(1.0), (3, 16, 20), border="wrap")
    y = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    y[0, 1, 2, 3] = bad
    for solve in (
        lambda: plug_and_play(y, a, lambda z, s: z, sigma=0.01, steps=1),
        lambda: total_variation(y, a, sigma=0.01, iterations=1),
        lambda: deep_image_prior(y, a, sigma=0.01, iterations=1),
    ):
        with pytest.raises(UsageError, match="finite"):
            solve()


def test_plug_and_play_turns_and_turns_back() -> None:
    """A denoiser that does nothing cannot tell how the picture is held; one that looks down can."""
    a = op.blur(gaussian_psf(1.0), (3, 16, 20), border="wrap")
    y = a(torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0)))
    shapes: list[tuple[int, int]] = []

    def nothing(z: Tensor, s: Tensor) -> Tensor:
        shapes.append((z.shape[-2], z.shape[-1]))
        return z

    still, turned = (plug_and_play(y, a, nothing, sigma=0.01, steps=9, turns=t).image for t in (False, True))
    assert torch.allclose(still, turned, atol=1e-5)
    assert shapes == [(16, 20)] * 9 + [(16, 20), (20, 16)] * 4 + [(16, 20)]
    ways = {turn(y, k).contiguous().numpy().tobytes() for k in range(8)}
    assert len(ways) == 8 and all(torch.equal(unturn(turn(y, k), k), y) for k in range(8))


def test_plug_and_plays_sigmas_fall_from_start_to_the_noise() -> None:
    a = op.blur(gaussian_psf(1.0), (1, 12, 12), border="wrap")
    y = a(torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0)))
    told: list[list[float]] = []

    def denoiser(z: Tensor, s: Tensor) -> Tensor:
        told.append(s.tolist())
        return z

    sigma = torch.tensor([0.02, 0.08])
    found = plug_and_play(y, a, denoiser, sigma=sigma, steps=5, start=0.2)
    expected = np.stack([np.geomspace(0.2, s, 5) for s in (0.02, 0.08)], 1)
    assert np.array(told) == pytest.approx(expected, rel=1e-5)
    assert found.trace["sigma"] == pytest.approx(expected[:, 0], rel=1e-5) and found.iterations == 5
    told.clear()
    plug_and_play(y, a, denoiser, sigma=0.5, steps=2, start=0.2)
    assert told == [pytest.approx([0.2, 0.2])] * 2, "never from less noise to more"
    for wrong in ({"steps": 0}, {"start": 0.0}, {"weight": 0.0}, {"fresh": 1.1}, {"fresh": -0.1}):
        with pytest.raises(UsageError):
            plug_and_play(y, a, denoiser, sigma=0.1, **wrong)


def test_holes_get_fresh_noise_of_the_seed() -> None:
    keep = (torch.rand(12, 12, generator=torch.Generator().manual_seed(4)) < 0.5).float()
    a = op.masking(keep, (1, 12, 12))
    y = a(torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0)))
    told: list[Tensor] = []

    def denoiser(z: Tensor, s: Tensor) -> Tensor:
        told.append(z)
        return z

    def shown(**knobs) -> list[Tensor]:  # type: ignore[no-untyped-def]
        told.clear()
        plug_and_play(y, a, denoiser, sigma=0.01, steps=3, turns=False, **knobs)
        return list(told)

    plain, noisy, again, other = shown(fresh=0), shown(), shown(seed=0), shown(seed=1)
    assert all(torch.equal(p, q) for p, q in zip(noisy, again, strict=True))
    assert not torch.equal(noisy[0], other[0])
    first = noisy[0] - plain[0]
    assert float(first.std()) == pytest.approx((49 / 255) ** 2, abs=0.2) and float(first.abs().max()) > 0.1
    whole = op.identity((1, 64, 64))
    flat = torch.full((1, 1, 64, 64), 0.5)
    told.clear()
    plug_and_play(flat, whole, denoiser, sigma=0.03, steps=2, fresh=1, start=0.2, initial=flat, turns=False)
    assert float(told[0].std()) == pytest.approx((0.2**2 - 0.03**2) ** 0.5, rel=0.05)
    assert float(told[1].std()) < 0.2 and torch.isfinite(told[1]).all()


def test_wrong_use_is_said_in_words(photo_tensor: Tensor) -> None:
    for name, given, said in (
        ("pnp", None, "must be told"),
        ("bicubic:scale=2", op.identity(SHAPE), "takes no operator"),
        ("pnp:denoiser=gamma", op.identity(SHAPE), "denoiser"),
        ("pnp:steps=0", op.identity(SHAPE), "steps"),
        ("pnp", "/nowhere/params.jsonl", "does not exist"),
    ):
        with pytest.raises(UsageError, match=said):
            restore.load(name, operator=given)
    with pytest.raises(ImageError, match="fills holes"):
        restore.load("telea", operator=psf(3, 3), sigma=1)(photo_tensor)


def test_a_folder_is_restored_by_what_was_recorded(tmp_path: Path, photo: np.ndarray) -> None:
    clean, noisy, out = tmp_path / "clean", tmp_path / "noisy", tmp_path / "out"
    (clean / "sub").mkdir(parents=True)
    Image.fromarray(photo[60:100, 100:150]).save(clean / "a.png")
    Image.fromarray(photo[60:100, 100:140, 0]).save(clean / "sub" / "b.png")
    params = noisy / "params.jsonl"
    restore.degrade_folder(
        clean, noisy, degradation=["blur:sigma=1.2", "downsample:scale=2,kernel=nearest,bits=0", "noise:sigma=2.55"],
        params=params,
    )  # fmt: skip
    Image.fromarray(photo[:20, :20]).save(noisy / "stranger.png")
    command = ["run", noisy, "-o", out, "-m", "tv-inverse:iterations=5", "--operator", params, "--json", "-"]
    first = subprocess.run(
        [sys.executable, "-m", "restore", *map(str, command)], capture_output=True, text=True
    )
    assert first.returncode == 1, first.stderr
    result = json.loads(first.stdout)
    assert [o["file"] for o in result["done"]] == ["a.png", "sub/b.png"]
    assert all(0 < o["diagnostics"]["data_consistency"] < 3 for o in result["done"])
    assert result["failed"][0]["reason"] == "no parameters are recorded for it"
    assert Image.open(out / "a.png").size == (50, 40) and Image.open(out / "sub" / "b.png").mode == "L"
    again = restore.restore_folder(noisy, out, model="tv-inverse:iterations=5", operator=params)
    assert [o.file for o in again.skipped] == ["a.png", "sub/b.png"] and not again.done
    # Another row for one picture: that one alone is done again.
    lines = [json.loads(line) for line in params.read_text().splitlines()]
    lines[0]["params"]["steps"][0]["values"]["sigma"] = 1.3
    params.write_text("".join(json.dumps(line) + "\n" for line in lines))
    third = restore.restore_folder(noisy, out, model="tv-inverse:iterations=5", operator=params)
    assert [o.file for o in third.done] == ["a.png"] and [o.file for o in third.skipped] == ["sub/b.png"]


def test_plug_and_play_stays_a_picture_where_nothing_is_measured(samples: Path) -> None:
    # Black all around, no noise: what a step leaves below zero must not grow.
    x = torch.zeros(1, 1, 48, 48)
    cat = np.asarray(Image.open(samples / "cat.png").convert("L").resize((20, 20)), dtype=np.float32)
    x[..., 14:34, 14:34] = torch.from_numpy(cat) / 255
    a = op.downsample((1, 48, 48), scale=2)
    made = restore.load("pnp", operator=a, sigma=0.0, device="cpu").solve(a(x)).image
    assert float(psnr(made, x)) > 25 and float(made.min()) >= 0
