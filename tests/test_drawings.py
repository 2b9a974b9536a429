"""Procedural drawings: the same seed the same pixels, 8-bit values, every kind different, none with noise."""

from __future__ import annotations

import pytest
import torch

from restore.data.drawings import KINDS, draw_picture
from restore.errors import RestoreError


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_a_function_of_its_seed_and_varies(kind: str) -> None:
    a, again, b = (draw_picture(seed, 96, 130, kind=kind) for seed in (5, 5, 6))
    assert a.shape == (3, 96, 130) and a.dtype == torch.float32
    assert torch.equal(a, again) and not torch.equal(a, b)
    levels = a * 255
    assert torch.allclose(levels, levels.round(), atol=1e-4) and a.min() >= 0 and a.max() <= 1


def test_seeds_draw_most_kinds() -> None:
    """A picture without a given kind equals the one of the kind its seed drew."""
    kinds = list(KINDS)
    drawn = set()
    for seed in range(60):
        picture = draw_picture(seed, 64, 64)
        drawn |= {
            k for k in kinds if k not in drawn and torch.equal(picture, draw_picture(seed, 64, 64, kind=k))
        }
    assert len(kinds) >= 25 and len(drawn) > 0.6 * len(kinds)


def test_small_sides_and_unknown_kinds_are_refused() -> None:
    with pytest.raises(RestoreError, match="64"):
        draw_picture(0, 63, 100)
    with pytest.raises(RestoreError, match="kind"):
        draw_picture(0, 100, 100, kind="oil painting")


@pytest.mark.parametrize("shape", [(64, 64), (64, 900), (700, 65)])
def test_all_kinds_fit_into_narrow_pictures(shape: tuple[int, int]) -> None:
    for kind in KINDS:
        for seed in range(3):
            assert draw_picture(seed, *shape, kind=kind).shape == (3, *shape)
