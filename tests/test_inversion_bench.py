"""The tables and sheets of inversion, at a size where only the mechanics show."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from restore.bench.tables.editing import walk_numbers, width_of
from restore.bench.tables.inversion import Plan, run
from restore.bench.tables.inversion_page import beside, markdown, summarise
from restore.bench.tables.inversion_pictures import digits, ellipses, fundus, shifted
from restore.bench.tables.inversion_prior import prior_rows
from restore.errors import UsageError
from restore.inverse.gan.edit import attribute_direction, fit_walk, morph, spacing
from restore.inverse.gan.measurements import measure, operator_named
from restore.models.stylegan2 import StyleGAN2


@pytest.fixture(scope="module")
def net() -> StyleGAN2:
    torch.manual_seed(0)
    made = StyleGAN2(channels=1, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)
    with torch.no_grad():
        for rgb in made.to_rgb:
            rgb.conv.weight.mul_(0.2)
    return made.eval().requires_grad_(False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve test pictures with labels, as an IDX set."""
    pixels = (np.random.default_rng(0).random((12, 28, 28)) * 255).astype(np.uint8)
    for name, array in (("images-idx3", pixels), ("labels-idx1", np.arange(12, dtype=np.uint8))):
        head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))
    return tmp_path


def test_shifts_move_by_what_they_say() -> None:
    x = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    moved = shifted(x, "translate:by=96", fill="black")  # 3 px of 32
    assert torch.allclose(moved[..., 3:, 3:], x[..., :-3, :-3], atol=1e-5)
    assert moved[..., :3, :].abs().max() < 1e-5
    mirrored = shifted(x, "translate:by=96")
    assert torch.allclose(mirrored[..., 3:, 2], x[..., :-3, 0], atol=1e-5)
    assert torch.allclose(shifted(x, "rotate:by=90"), x.rot90(-1, (2, 3)), atol=1e-4) or torch.allclose(
        shifted(x, "rotate:by=90"), x.rot90(1, (2, 3)), atol=1e-4
    )
    blot = torch.zeros(1, 1, 32, 32)
    blot[..., 12:20, 12:20] = 1
    for by in (0.75, 1.25):
        assert shifted(blot, f"scale:by={by}").sum().item() == pytest.approx(64 * by**2, rel=0.05)
    for spec in ("translate:by=0", "rotate:by=0", "scale:by=1"):
        assert torch.equal(shifted(x, spec), x)
    with pytest.raises(UsageError, match="unknown shift"):
        shifted(x, "shear:by=1")


def test_phantoms_are_pictures_that_differ() -> None:
    for make in (digits, ellipses, fundus):
        x = make(3, resolution=32, channels=3, seed=1)
        assert x.shape == (3, 3, 32, 32) and x.min() >= 0 and 0.3 < x.max() <= 1
        assert torch.equal(x, make(3, resolution=32, channels=3, seed=1))
        assert (x[0] - x[1]).abs().mean() > 0.005


def test_a_table_in_miniature(net: StyleGAN2, data: Path) -> None:
    plan = Plan(methods=("sphinx", "tv", "psp"), count=2, steps=2, encoder_steps=2, rates=(0.01, 0.02))
    result = run(net, "shifts", data, plan)
    assert len(result["rows"]) == 3 * 12 * 2 and len(result["summary"]) == 36
    assert result["protocol"]["methods"]["psp"] == "psp"
    assert result["protocol"]["methods"]["tv"] in ("tv:rate=0.01", "tv:rate=0.02")
    text = markdown({**result, "generator": "toy"})
    assert text.count("| sphinx") == 6 and "digits" in text and "–" in text  # no codes, no perturbation
    some = run(net, "shifts", data, Plan(methods=("tv",), count=2, steps=2, only=("digits",)))
    assert [row["condition"] for row in some["summary"]] == ["digits"]
    with pytest.raises(UsageError, match="nonsense"):
        run(net, "shifts", data, Plan(methods=("tv",), count=2, steps=2, only=("nonsense",)))


def test_methods_measured_later_stand_beside_the_others_of_one_protocol(
    net: StyleGAN2, data: Path, tmp_path: Path
) -> None:
    plan = Plan(methods=("tv", "csgm"), count=2, steps=2, only=("translate:by=0",))
    first = run(net, "shifts", data, plan) | {"generator": "g"}
    (tmp_path / "first.json").write_text(json.dumps({k: v for k, v in first.items() if k != "rows"}))
    later = run(net, "shifts", data, replace(plan, methods=("csgm", "pgd"))) | {"generator": "g"}
    both = beside(later, tmp_path / "first.json")
    assert [s["method"] for s in both["summary"]] == ["tv", "csgm", "pgd"]
    assert list(both["protocol"]["methods"]) == ["tv", "csgm", "pgd"] and len(both["beside"]) == 1
    assert "| tv" in markdown(both) and "| pgd" in markdown(both)
    for other in (replace(plan, steps=3), replace(plan, only=("rotate:by=10",))):
        with pytest.raises(UsageError, match="measured otherwise"):
            beside(run(net, "shifts", data, other) | {"generator": "g"}, tmp_path / "first.json")
    with pytest.raises(UsageError, match="no such table"):
        beside(later, tmp_path / "nothing.json")


def test_the_prior_without_a_generator_answers_what_the_table_asks() -> None:
    x = ellipses(2, seed=0, resolution=32, channels=1)
    act, noise = operator_named("mask", (1, 32, 32))
    y = measure(act, x, noise, seeds=[0, 1])
    rows = prior_rows(x, y, act, noise)
    hole = -10 * torch.log10((act.transpose(y) - x).square().flatten(1).mean(1))
    assert [r["psnr"] > h + 3 for r, h in zip(rows, hole.tolist(), strict=True)] == [True, True]
    assert all(r["residual"] < 0.1 and r["ssim"] > 0.8 and r["seconds"] > 0 for r in rows)
    (summary,) = summarise(
        [{"condition": "c", "method": "pnp", "picture": i, **r} for i, r in enumerate(rows)]
    )
    keys = ("freedom", "seconds", "image_std", "psnr_min", "code_norm", "psnr_shaken_0.1", "residual")
    assert set(keys) <= set(summary) and np.isnan(summary["code_norm"])


def test_summary_is_a_student_interval() -> None:
    rows = [{"condition": "c", "method": "m", "picture": i, "psnr": v} for i, v in enumerate((20.0, 22, 27))]
    (cell,) = summarise(rows)
    # t(0.975, 2) = 4.302653; s = sqrt(13)
    assert cell["psnr"] == 23 and cell["psnr_ci"] == pytest.approx(4.302653 * math.sqrt(13 / 3), rel=1e-5)


def test_walks_start_at_the_first_copy_and_places_are_spread(net: StyleGAN2) -> None:
    assert spacing(torch.tensor([0.5])).item() == 1.5
    # alpha = 1, 4, 5: |2 - 1| + 0 for the first two, and 5 - 4 is one short of 2.
    assert spacing(torch.tensor([1.0, 4.0, 5.0])).item() == pytest.approx(1 + 0 + 0 + 1)
    z = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    start = net.repeat(net.mapping(z))
    away = torch.nn.functional.normalize(
        torch.randn(start.shape, generator=torch.Generator().manual_seed(1)), dim=2
    )
    copies = torch.stack([net.synthesis(start + k * away)[0] for k in (0, 1.5, 3)])  # type: ignore[operator]
    copies = (copies.clamp(-1, 1) + 1) / 2
    walk = fit_walk(net, copies, steps=200)
    numbers = walk_numbers(net, walk, copies)
    assert numbers["psnr"] > 20 and numbers["places_grow"] == 1 and numbers["forward"] > 0.8
    assert torch.allclose(walk.direction.norm(dim=2), torch.ones(1, net.num_ws), atol=1e-5)
    with pytest.raises(UsageError, match="two or more"):
        fit_walk(net, copies[:1])


def test_directions_raise_what_they_are_made_for(net: StyleGAN2) -> None:
    def brightness(x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2, 3))

    v = attribute_direction(net, brightness, count=400)
    w = net.mapping(torch.randn(20, 8, generator=torch.Generator().manual_seed(4)))
    made = [
        brightness((net.synthesis(net.repeat(w + a * v)).clamp(-1, 1) + 1) / 2)  # type: ignore[union-attr]
        for a in (-0.02, 0.0, 0.02)
    ]
    assert ((made[0] < made[1]) & (made[1] < made[2])).float().mean() > 0.8
    ends = morph(net, net.repeat(w)[0], net.repeat(w)[1], (0.0, 1.0))
    whole = (net.synthesis(net.repeat(w[:2])).clamp(-1, 1) + 1) / 2  # type: ignore[union-attr]
    assert torch.allclose(ends, whole, atol=1e-5)
    bars = torch.zeros(2, 1, 32, 32)
    bars[0, :, :, 14:18], bars[1, :, :, 4:28] = 1, 1
    assert width_of(bars)[0] < width_of(bars)[1]
