"""Solvers for a known degradation: closed forms against dense algebra, priors, data consistency, the command."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from restore.degradations import operators as op
from restore.degradations.psf import gaussian_psf
from restore.inverse import data_consistency, plug_and_play, total_variation
from restore.inverse.normal import normal_equations

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
