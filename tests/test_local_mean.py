"""The local mean is kept by every restorer that is not there to change light, on patterns that look like noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import restore
from restore.models.registry import SHIPPED
from restore.restorers.local_mean import LIGHT_RULES, REACH, keep_local_mean
from restore.tiling import run_tiled

SIDE = 128
RULE = LIGHT_RULES["dejpeg"]
# Restorers that are there to change light, or to fill.
CHANGES_LIGHT = {
    *("lowlight", "enlighten", "zero-dce", "dehaze", "underwater", "derain", "desnow", "raindrop", "inpaint")
}
KEEPS_LIGHT = [name for name, row in SHIPPED.items() if row.task != "estimate" and name not in CHANGES_LIGHT]


def patterns(side: int = SIDE) -> dict[str, Tensor]:
    """Two-valued patterns of the same mean everywhere, ``1 x 3 x side x side`` in [0, 1]."""
    y, x = np.mgrid[:side, :side]
    bayer = np.array([[0, 2], [3, 1]])
    bayer = np.block([[4 * bayer, 4 * bayer + 2], [4 * bayer + 3, 4 * bayer + 1]])
    threshold = np.tile((bayer + 0.5) / 16, (side // 4, side // 4))
    planes = {
        "checkerboard": (x + y) % 2,
        "faint checkerboard": 0.25 + 0.5 * ((x + y) % 2),
        "dark checkerboard": 0.5 * ((x + y) % 2),
        "coarse checkerboard": (x // 2 + y // 2) % 2,
        "rows": y % 2,
        "columns": x % 2,
        "diagonals": (x + y) % 4 < 2,
        "dots": (x % 4 == 0) & (y % 4 == 0),
        "dither of a quarter": threshold < 0.25,
        "dither of two thirds": threshold < 0.65,
    }
    return {
        name: torch.from_numpy(np.asarray(plane, dtype=np.float32)).expand(1, 3, -1, -1).contiguous()
        for name, plane in planes.items()
    }


def photograph(side: int, *, seed: int = 0) -> Tensor:
    """Smooth noise on four scales, ``1 x 3 x side x side``."""
    g = torch.Generator().manual_seed(seed)
    layers = (
        F.interpolate(torch.rand(1, 3, n, n, generator=g), size=(side, side), mode="bicubic")
        for n in (3, 7, 17, 45)
    )
    return sum(w * x for w, x in zip((0.5, 0.25, 0.15, 0.1), layers, strict=True)).clamp(0, 1)  # type: ignore[union-attr]


def mean_error(y: Tensor, x: Tensor, *, scale: int = 1) -> float:
    """In levels, over squares of 16 x 16 input pixels, of what a file would hold."""
    stored = (y.clamp(0, 1) * 255).round()
    return float((F.avg_pool2d(stored, 16 * scale) - F.avg_pool2d(x * 255, 16)).abs().max())


@pytest.mark.parametrize("name", [n for n in KEEPS_LIGHT if SHIPPED[n].task != "upscale"])
def test_patterns_keep_their_local_mean(name: str) -> None:
    restorer = restore.load(name, engine="torch")
    wrong = {}
    for pattern, x in patterns().items():
        error = mean_error(restorer(x), x)
        if not error < 2:
            wrong[pattern] = error
    assert not wrong


@pytest.mark.parametrize("name", [n for n in KEEPS_LIGHT if SHIPPED[n].task == "upscale"])
def test_enlarged_patterns_keep_their_local_mean(name: str) -> None:
    restorer = restore.load(name, engine="torch")
    for pattern, x in patterns(64).items():
        assert mean_error(restorer(x), x, scale=restorer.spec.scale) < 2, pattern


def test_the_spec_says_who_keeps_light() -> None:
    assert all(restore.load(name).spec.keeps_light for name in KEEPS_LIGHT)
    assert not any(restore.load(name).spec.keeps_light for name in CHANGES_LIGHT & set(SHIPPED))


@pytest.mark.parametrize("pattern", list(patterns()))
@pytest.mark.parametrize("answer", [0.0, 0.1, 0.6, 1.0])
def test_a_flat_answer_gets_the_mean_of_the_pattern(pattern: str, answer: float) -> None:
    x = patterns()[pattern]
    y = keep_local_mean(torch.full_like(x, answer), x, RULE)
    assert mean_error(y, x) < 2
    assert y.min() >= -1e-5 and y.max() <= 1 + 1e-5


def test_overshoot_that_a_file_cuts_off_is_counted() -> None:
    x = patterns()["dark checkerboard"]
    y = 2.2 * (x - 0.25) + 0.25  # the same mean, but a third of it below 0
    assert mean_error(y, x) > 8
    assert mean_error(keep_local_mean(y, x, RULE), x) < 2


def test_black_and_white_of_an_answer_stay() -> None:
    x = patterns()["coarse checkerboard"]
    soft = 0.8 * F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    soft[..., ::8, ::8] = 0
    y = keep_local_mean(soft, x, RULE)
    assert mean_error(soft, x) > 20 and mean_error(y, x) < 2
    assert y[..., ::8, ::8].max() < 0.03


def test_what_noise_and_texture_explain_stays() -> None:
    x = photograph(96)
    noisy = x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    blurred = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1)
    y = keep_local_mean(x, noisy, LIGHT_RULES["denoise"], sigma=torch.tensor([0.05]))
    assert (y - x).abs().mean() * 255 < 0.05
    assert torch.equal(keep_local_mean(x, blurred, LIGHT_RULES["deblur"]), x)
    assert torch.equal(keep_local_mean(x + 1 / 255, x, RULE), x + 1 / 255)


def test_light_that_clipped_noise_has_made_may_be_taken_back() -> None:
    truth = torch.full((1, 3, 96, 96), 0.02)
    sigma = 50 / 255
    noise = sigma * torch.randn(truth.shape, generator=torch.Generator().manual_seed(2))
    y = keep_local_mean(
        truth, (truth + noise).clamp(0, 1), LIGHT_RULES["denoise"], sigma=torch.tensor([sigma])
    )
    assert (y - truth).abs().mean() * 255 < 1
    drawn = patterns()["dots"]
    assert (
        mean_error(
            keep_local_mean(
                torch.zeros_like(drawn), drawn, LIGHT_RULES["denoise"], sigma=torch.tensor([sigma])
            ),
            drawn,
        )
        < 2
    )


@pytest.mark.parametrize("scale", [1, 3])
def test_windows_equal_the_whole(scale: int) -> None:
    x = photograph(150)
    x[..., 30:90, 40:110] = patterns(96)["checkerboard"][..., :60, :70]
    y = 0.4 * F.interpolate(x, scale_factor=scale) + 0.1 * photograph(150 * scale, seed=5)
    whole = keep_local_mean(y, x, RULE, scale=scale)
    assert (whole - y).abs().max() > 0.1
    made = torch.empty_like(whole)
    both = torch.cat([x, torch.nn.functional.pixel_unshuffle(y, scale)], 1)

    def write(top: int, left: int, part: Tensor) -> None:
        made[..., top : top + part.shape[-2], left : left + part.shape[-1]] = part

    run_tiled(
        lambda z: keep_local_mean(F.pixel_shuffle(z[:, 3:], scale), z[:, :3], RULE, scale=scale),
        lambda top, bottom, left, right: both[..., top:bottom, left:right],
        write,
        height=150,
        width=150,
        scale=scale,
        radius=REACH,
        multiple=4,
        tile=36,
    )
    assert (made - whole).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["dejpeg", "sr-x2"])
def test_a_restorer_in_windows_equals_itself(name: str) -> None:
    x = photograph(360)[..., :32, :].clone()
    x[..., 150:250] = patterns()["checkerboard"][..., :32, :100]
    a, b = (restore.load(name, tile=tile, precision="fp32", engine="torch") for tile in (1024, 64))
    assert (a(x) - b(x)).abs().max() < 1e-4


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engines_agree_on_a_pattern(engine: str) -> None:
    x = patterns()["checkerboard"]
    torch_, other = (restore.load("dejpeg", precision="fp32", engine=e)(x) for e in ("torch", engine))
    assert (torch_ - other).abs().max() < 1e-3


def test_gradients_pass_and_are_finite() -> None:
    for x in (patterns()["checkerboard"], photograph(48)):
        x = x.clone().requires_grad_()
        y = keep_local_mean(0.3 * x, x, RULE)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 1, 5), (1, 3, 7, 2), (1, 1, 17, 33)])
@pytest.mark.parametrize("scale", [1, 2])
def test_any_size(shape: tuple[int, ...], scale: int) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 0.2
    y = keep_local_mean(torch.ones(*shape[:2], shape[2] * scale, shape[3] * scale), x, RULE, scale=scale)
    assert y.shape[-2:] == (shape[2] * scale, shape[3] * scale) and torch.isfinite(y).all()
    # Every picture of a batch by itself.
    assert torch.allclose(y[:1], keep_local_mean(torch.ones_like(y[:1]), x[:1], RULE, scale=scale), atol=1e-6)
