"""Pictures that were enlarged before: shrunk to the pixels they have, and enlarged by a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import restore
from restore.diagnosis.policy import enlarged_by
from restore.errors import UsageError
from restore.metrics import psnr
from restore.resample import imresize
from restore.restorers.enlarged import shrunk


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_is_shrunk_is_what_had_been_enlarged(scale: int, photo_tensor: Tensor) -> None:
    small = photo_tensor[..., :60, :72]
    large = imresize(small, scale=scale)
    inner = (..., slice(8, -8), slice(8, -8))  # at the border enlarging mirrors what shrinking has seen
    plain = float((imresize(large, scale=1 / scale) - small)[inner].abs().mean())
    assert float((shrunk(large, scale) - small)[inner].abs().mean()) < plain / 2


@pytest.mark.parametrize("back", ["bicubic", "nearest"])
def test_enlarged_pictures_gain_and_windows_equal_the_whole(back: str, photo_tensor: Tensor) -> None:
    clean = photo_tensor[..., :123, :170]
    y, _ = restore.degrade(clean, f"low-resolution:factor=3,back={back}", seed=0)
    options = {"device": "cpu", "precision": "fp32", "engine": "torch"}
    whole = restore.load("re-enlarge:scale=3", **options)(y)
    assert whole.shape == clean.shape
    assert float(psnr(whole.clamp(0, 1), clean)) > float(psnr(y, clean)) + 0.5
    tiled = restore.load("re-enlarge:scale=3", tile=32, **options)(y)
    assert float((tiled - whole).abs().max()) < 1e-4
    grey = restore.load("re-enlarge:scale=3", **options)(np.full((5, 7), 90, np.uint8))
    assert grey.shape == (5, 7) and abs(int(grey[2, 3]) - 90) <= 2


def test_an_enlargement_is_measured(photo_tensor: Tensor) -> None:
    y, _ = restore.degrade(photo_tensor, "low-resolution:factor=4,back=nearest", seed=0)
    measured = restore.diagnose(y)["enlargement"]
    assert measured.unit == "times" and measured.upper > 2
    assert [enlarged_by(s) for s in (0.5, 4.0, 5.0)] == [2, 3, 4]


def test_other_scales_are_refused() -> None:
    for values in ({}, {"scale": 5}, {"scale": 2.5}, {"factor": 2}):
        with pytest.raises(UsageError, match="re-enlarge"):
            restore.load("re-enlarge", **values)
    assert torch.is_tensor(restore.load("re-enlarge", scale=2)(torch.rand(1, 3, 1, 1)))
