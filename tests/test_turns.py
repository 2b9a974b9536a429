"""Restoring several positions of a picture and averaging them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import restore
from restore.errors import RestoreError, UsageError
from restore.metrics import psnr
from restore.restorers.turns import COUNTS, mean_of_turns


@pytest.mark.parametrize("count", COUNTS)
def test_every_position_is_turned_back_where_it_was(count: int) -> None:
    x = torch.rand(2, 3, 13, 22, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []

    def enlarge(y: torch.Tensor) -> torch.Tensor:
        seen.append(y)
        return y.repeat_interleave(2, -1).repeat_interleave(2, -2)

    made = mean_of_turns(enlarge, x, count=count, multiple=8, scale=2)
    assert torch.allclose(made, enlarge(x), atol=1e-6)
    assert len({(y.shape, tuple(y.flatten().tolist())) for y in seen[:count]}) == count  # no position twice


def test_turns_help_and_windows_equal_the_whole(photo: np.ndarray) -> None:
    clean = torch.from_numpy(photo[:150, :203].astype(np.float32) / 255).permute(2, 0, 1)[None]
    noisy, _ = restore.degrade(clean, "noise:sigma=40", seed=0)
    options = {"device": "cpu", "precision": "fp32", "engine": "torch", "sigma": 40}
    once, twice, fourfold = (restore.load("denoise", turns=n, **options)(noisy) for n in (1, 2, 4))
    scores = [float(psnr(y.clamp(0, 1), clean)) for y in (once, twice, fourfold)]
    assert scores[0] + 0.03 < scores[1] < scores[2]
    tiled = restore.load("denoise", turns=2, tile=64, **options)(noisy)
    assert (tiled - twice).abs().max() < 1e-4


def test_holes_are_filled_in_several_positions(photo: np.ndarray) -> None:
    hole = np.zeros(photo.shape[:2], bool)
    for top in range(10, 240, 32):  # many small ones: one hole may come out better either way
        hole[top : top + 14, 5::31] = hole[top : top + 14, 6::31] = hole[top + 8 : top + 18, 12::31] = True
    options = {"device": "cpu", "precision": "fp32"}
    pictures = [restore.load("inpaint", turns=n, **options)(photo, mask=hole) for n in (1, 4)]
    errors = [np.square(p.astype(float) - photo)[hole].mean() for p in pictures]
    assert errors[1] < errors[0] and np.array_equal(pictures[1][~hole], photo[~hole])
    tiled = restore.load("inpaint", turns=4, tile=128, **options)(photo, mask=hole)
    assert np.abs(tiled.astype(int) - pictures[1]).max() <= 1


def test_only_plain_networks_and_those_numbers_of_turns() -> None:
    for name, turns in (("denoise", 3), ("denoise", True), ("lowlight", 2), ("median", 2)):
        with pytest.raises(UsageError, match="turns"):
            restore.load(name, turns=turns)
    known = restore.load("denoise", turns=4)
    assert known.fingerprint != restore.load("denoise").fingerprint
    assert known.name == "denoise:turns=4"
    with pytest.raises(RestoreError, match="turns4"):
        known.interval(torch.rand(1, 3, 64, 64))
