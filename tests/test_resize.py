"""imresize against MATLAB's values, OpenCV and torch; the degradations made of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from restore.classical.upscale import METHODS, upscale
from restore.degradations import degradation
from restore.errors import UsageError
from restore.image import array_to_tensor, tensor_to_array
from restore.resample import KERNELS, imresize, taps


def pattern() -> Tensor:
    i, j = torch.arange(16)[:, None], torch.arange(16)[None]
    return ((17 * i * j + 5 * i + 11 * j) % 256).float()[None, None] / 255


def levels(x: Tensor) -> Tensor:
    return (x * 255).round().long()[0, 0]


def dense(length: int, out: int, scale: float) -> Tensor:
    """The taps as a matrix, ``out x length``."""
    index, weights = taps(length, out, scale, "bicubic", True)
    matrix = torch.zeros((out, length), dtype=torch.float64)
    for places, w in zip(index, weights, strict=True):
        matrix[torch.arange(out), places] += w
    return matrix


def test_matlab_weights() -> None:
    half = [-0.01171875, -0.03515625, 0.11328125, 0.43359375]
    down = dense(32, 16, 0.5)
    assert down[8, 13:21].tolist() == [*half, *half[::-1]]
    assert down[0, :5].tolist() == [0.546875, 0.3984375, 0.1015625, -0.03515625, -0.01171875]
    quarter = [-0.0234375, 0.2265625, 0.8671875, -0.0703125]
    up = dense(16, 32, 2.0)
    assert up[10, 3:7].tolist() == quarter and up[11, 4:8].tolist() == quarter[::-1]


def test_matlab_uint8_values() -> None:
    x = pattern()
    half = levels(imresize(x, scale=0.5, bits=8))
    assert half[0].tolist() == [10, 51, 96, 117, 103, 90, 116, 159]
    assert int(half.sum()) == 7765
    assert levels(imresize(x, scale=0.25, bits=8)).tolist() == [
        [53, 121, 120, 135],
        [95, 132, 130, 144],
        [123, 109, 142, 125],
        [92, 115, 120, 184],
    ]
    assert int(levels(imresize(x, scale=2, bits=8)).sum()) == 124232
    once = levels(torch.floor(imresize(x.double(), scale=0.5) * 255 + 0.5).clamp(0, 255) / 255)
    assert int((once != half).sum()) == 11 and int((once - half).abs().max()) == 1


def test_smaller_scale_goes_first() -> None:
    x = pattern()
    both = imresize(x, size=(16, 4), bits=8)
    assert torch.equal(both, imresize(x.mT, size=(4, 16), bits=8).mT)
    mixed = imresize(x, size=(12, 4), bits=8)
    width_first = imresize(imresize(x, size=(16, 4), bits=8), size=(12, 4), bits=8)
    assert torch.equal(mixed, width_first)


def test_other_kernels_agree_with_independent_ones() -> None:
    photo = data.coffee()[:96, :120]
    x = array_to_tensor(photo).double()
    inside = (..., slice(8, -8), slice(8, -8))
    for size in ((48, 60), (41, 77)):
        area = cv2.resize(photo.astype(np.float64), size[::-1], interpolation=cv2.INTER_AREA) / 255
        assert np.abs(imresize(x, size=size, kernel="area")[0].permute(1, 2, 0).numpy() - area).max() < 1e-6
        for kernel in ("bilinear", "bicubic"):
            theirs = torch.nn.functional.interpolate(x, size=size, mode=kernel, antialias=True)
            assert float((imresize(x, size=size, kernel=kernel) - theirs)[inside].abs().max()) < 1e-6
    theirs = torch.nn.functional.interpolate(x, scale_factor=3, mode="nearest")
    assert torch.equal(imresize(x, scale=3, kernel="nearest"), theirs)
    alias = torch.nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear")
    assert torch.allclose(imresize(x, scale=0.5, kernel="bilinear", antialias=False), alias)


@pytest.mark.parametrize("kernel", KERNELS)
def test_flat_stays_flat_and_lengths_round_up(kernel: str) -> None:
    for h, w, scale in ((1, 1, 0.25), (5, 7, 0.25), (5, 7, 1 / 3), (3, 2, 2.5)):
        y = imresize(torch.full((1, 3, h, w), 0.7), scale=scale, kernel=kernel)
        assert tuple(y.shape[-2:]) == (int(np.ceil(h * scale - 1e-9)), int(np.ceil(w * scale - 1e-9)))
        assert torch.allclose(y, torch.full_like(y, 0.7), atol=1e-6)


def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    x = array_to_tensor(data.astronaut()[:200, :160])
    for size, bits in (((50, 40), 8), ((60, 200), 0), ((330, 40), 8)):
        whole = imresize(x, size=size, bits=bits)
        monkeypatch.setattr("restore.resample._STRIP", 4000)
        assert torch.equal(imresize(x, size=size, bits=bits), whole)
        monkeypatch.undo()


def test_float_path_is_differentiable_and_unclipped() -> None:
    x = torch.rand((1, 1, 6, 7), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: imresize(v, size=(3, 9)), (x,))
    step = torch.zeros((1, 1, 8, 8))
    step[..., 4:] = 1
    assert float(imresize(step, scale=4).min()) < -0.01


def test_downsample_is_imresize_on_uint8() -> None:
    x = array_to_tensor(data.astronaut()[:121, :90])
    g = torch.Generator().manual_seed(0)
    y, _ = degradation("downsample:scale=4")(x, generator=g)
    assert torch.equal(y, imresize(x, scale=0.25, bits=8)) and y.shape == (1, 3, 31, 23)
    assert np.array_equal(array_to_tensor(tensor_to_array(y, np.uint8)).numpy(), y.numpy())
    many, params = degradation("downsample")(x.repeat(6, 1, 1, 1), generator=g)
    assert len(set(params.values["scale"].tolist())) == 1 and len(many) == 6


def test_pixelate_by_blocks() -> None:
    x = array_to_tensor(data.astronaut()[:64, :64])
    y, _ = degradation("pixelate:size=0.25")(x, generator=torch.Generator().manual_seed(0))
    blocks = torch.nn.functional.avg_pool2d(x, 4)
    assert torch.allclose(y, blocks.repeat_interleave(4, -1).repeat_interleave(4, -2), atol=1e-6)


def test_upscale_sizes_and_refusals() -> None:
    x = torch.rand(2, 1, 5, 6)
    for method in METHODS:
        assert upscale(x, 3, method).shape == (2, 1, 15, 18)
    assert torch.equal(upscale(x, 1), x)
    with pytest.raises(UsageError, match="at least 1"):
        upscale(x, 0.5)
    with pytest.raises(UsageError, match="bicubik"):
        upscale(x, 2, "bicubik")
    with pytest.raises(UsageError, match="either scale or size"):
        imresize(x)
    with pytest.raises(UsageError, match="scale above 0"):
        imresize(x, scale=0)
