"""Operators: exact adjoints, and the same arithmetic as the degradations they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from restore.degradations import Params, degradation
from restore.degradations import operators as op
from restore.degradations.blur import convolve
from restore.degradations.psf import disc_psf, gaussian_psf, motion_psf
from restore.degradations.recorded import from_params
from restore.degradations.sample import generator
from restore.errors import RestoreError, UsageError
from restore.resample import imresize

SHAPE = (3, 22, 31)


def field(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def quarter() -> Tensor:
    return (torch.rand(22, 31, generator=generator(4)) < 0.25).double()


LOPSIDED = torch.rand(5, 9, generator=generator(1), dtype=torch.float64)
OPERATORS = {
    "identity": lambda: op.identity(SHAPE),
    "blur, wrap": lambda: op.blur(LOPSIDED, SHAPE, border="wrap"),
    "blur, reflect": lambda: op.blur(LOPSIDED, SHAPE),
    "blur, larger than the picture": lambda: op.blur(motion_psf(60, seed=3), SHAPE),
    "blur, one psf a sample": lambda: op.blur([LOPSIDED, disc_psf(2.3)], SHAPE),
    **{f"{k} / {s}": lambda k=k, s=s: op.downsample(SHAPE, scale=s, kernel=k)
       for k in ("bicubic", "area", "lanczos3", "nearest") for s in (2, 3)},
    "blur, then every third": lambda: op.blur(gaussian_psf(1.6), SHAPE).then(op.stride(SHAPE, scale=3, offset=1)),
    "camera shake": lambda: from_params(degradation("camera-shake:length=9,roll=12").sample(
        (2, *SHAPE), generator=generator(3)), SHAPE),
    "masking": lambda: op.masking(quarter(), SHAPE),
    "fourier": lambda: op.fourier(quarter(), SHAPE),
    "compressed sensing": lambda: op.compressed_sensing(SHAPE, count=700, seed=2),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_adjoint_is_exact(name: str) -> None:
    a = OPERATORS[name]()
    x, y = field(2, *a.input_shape, seed=5), field(2, *a.output_shape, seed=6)
    here, there = float((a(x) * y).sum()), float((x * a.transpose(y)).sum())
    assert here == pytest.approx(there, abs=1e-11 * float(x.norm() * y.norm()))
    assert a(x).dtype == torch.float64 and a(x.float()).dtype == torch.float32
    two = a(2.0 * x) - 2.0 * a(x)
    assert float(two.abs().max()) < 1e-12


def test_operators_do_what_the_degradations_do() -> None:
    x = field(2, *SHAPE)
    for border in ("wrap", "reflect"):
        assert torch.equal(op.blur(LOPSIDED, SHAPE, border=border)(x), convolve(x, LOPSIDED, border=border))
    for kernel in ("bicubic", "area"):
        small = op.downsample(SHAPE, scale=3, kernel=kernel)(x)
        assert torch.allclose(small, imresize(x, scale=1 / 3, kernel=kernel), atol=1e-12)


def test_compressed_sensing_is_its_dense_matrix() -> None:
    a = op.compressed_sensing((1, 4, 8), count=10, seed=1)
    columns = a(torch.eye(32, dtype=torch.float64).view(32, 1, 4, 8)).T
    d, h, kept = a.parts["signs"], a.parts["filter"], a.parts["kept"]
    places = (torch.arange(32)[:, None] - torch.arange(32)) % 32
    assert torch.allclose(columns, (h[places] * d)[kept], atol=1e-12)
    many = op.compressed_sensing((1, 32, 32), count=300, seed=3)
    x = field(50, 1, 32, 32)
    assert float(many(x).square().sum() / x.square().sum()) == pytest.approx(1, abs=0.1)


def test_norm_is_the_largest_singular_value() -> None:
    a = op.blur(LOPSIDED / LOPSIDED.sum(), (1, 6, 7), border="wrap")
    dense = a(torch.eye(42, dtype=torch.float64).view(42, 1, 6, 7)).flatten(1)
    assert a.norm(steps=60) == pytest.approx(float(torch.linalg.matrix_norm(dense, 2)), rel=1e-3)
    assert op.fourier(quarter(), SHAPE).norm() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "spec", [["motion"], ["defocus:border=wrap"], ["kernel-blur:kind=sinc"], ["downsample:scale=2,bits=0"],
             ["mask:shape=strokes"], ["blur:sigma=1.2", "downsample:scale=2,bits=0"]],
)  # fmt: skip
def test_recorded_parameters_become_the_operator(spec: list[str]) -> None:
    x = field(2, *SHAPE)
    drawn = degradation([*spec, "noise:sigma=0"])
    y, params = drawn(x, generator=generator(3))
    a = from_params(Params.from_json(params.to_json()), SHAPE)
    assert torch.allclose(a(x), y, atol=1e-6)


def test_a_tree_with_one_sample_has_an_operator_too(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[[steps]]\none_of = ["blur:sigma=1", "defocus:radius=2"]\n')
    x = field(1, *SHAPE)
    y, params = degradation(str(tmp_path / "p.toml"))(x, generator=generator(0))
    assert torch.allclose(from_params(params, SHAPE)(x), y, atol=1e-9)


def test_what_is_not_linear_or_does_not_fit_is_refused() -> None:
    with pytest.raises(RestoreError, match="not linear"):
        from_params(degradation("pixelate").sample((1, *SHAPE), generator=generator(0)), SHAPE)
    with pytest.raises(RestoreError, match="blend"):
        from_params(degradation("blur").sample((1, *SHAPE), severity=0.5, generator=generator(0)), SHAPE)
    with pytest.raises(UsageError, match=r"\(3, 22, 31\)"):
        op.identity(SHAPE)(torch.zeros(1, 3, 5, 5))
    with pytest.raises(UsageError, match="gives"):
        op.identity(SHAPE).then(op.identity((1, 2, 3)))
    with pytest.raises(UsageError, match="odd"):
        op.blur(torch.ones(2, 3), SHAPE)
    assert np.isfinite(op.identity(SHAPE).norm())
