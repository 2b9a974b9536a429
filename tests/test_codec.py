"""JPEG against Pillow, the differentiable one against the real one; clipping and quantisation."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from restore.degradations import degradation
from restore.degradations.codec import quantisation_table
from restore.image import array_to_tensor, tensor_to_array


def photograph() -> Tensor:
    return array_to_tensor(data.astronaut()[:203, 100:301])


def run(text: str, x: Tensor) -> Tensor:
    return degradation(text)(x, generator=torch.Generator().manual_seed(0))[0]


def pillow(pixels: np.ndarray, quality: int, subsampling: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a.double() - b.double()) ** 2).mean()))


def test_jpeg_is_pillows_bytes_decoded() -> None:
    pixels = data.astronaut()[:203, 100:301]
    for quality in (1, 10, 75, 100):
        for kind, code in (("420", 2), ("444", 0)):
            y = run(f"jpeg:quality={quality},subsampling={kind}", photograph())
            assert np.array_equal(tensor_to_array(y, np.uint8), pillow(pixels, quality, code))
    grey = data.camera()[:51, :77]
    y = run("jpeg:quality=30", array_to_tensor(grey))
    assert y.shape == (1, 1, 51, 77)
    assert np.array_equal(tensor_to_array(y, np.uint8)[:, :, 0], pillow(grey, 30, 0))


def test_samples_have_qualities_of_their_own() -> None:
    x = photograph().repeat(2, 1, 1, 1)
    d = degradation("jpeg:quality=5..95")
    y, params = d(x, generator=torch.Generator().manual_seed(1))
    for i, quality in enumerate(params.values["quality"].tolist()):
        assert torch.equal(y[i : i + 1], run(f"jpeg:quality={quality:g}", x[i : i + 1]))
    assert not torch.equal(y[0], y[1])


def test_tables_are_libjpegs() -> None:
    for quality in (1, 10, 37, 49, 50, 75, 99, 100):
        file = io.BytesIO()
        Image.fromarray(data.astronaut()[:16, :16]).save(file, "JPEG", quality=quality)
        theirs = Image.open(file).quantization  # type: ignore[attr-defined]
        for chroma in (False, True):
            assert quantisation_table(quality, chroma=chroma).flatten().tolist() == theirs[int(chroma)]


@pytest.mark.parametrize("kind", ["420", "444"])
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_differentiable_jpeg_is_near_the_real_one(quality: int, kind: str) -> None:
    values = f"quality={quality},subsampling={kind}"
    for x in (photograph(), array_to_tensor(data.camera()[150:250, 200:299])):
        real, ours = run(f"jpeg:{values}", x), run(f"jpeg-diff:{values}", x)
        assert abs(psnr(real, x) - psnr(ours, x)) < 0.05
        assert float((real - ours).abs().mean()) < 0.8 / 255
        assert psnr(real, ours) > psnr(real, x) + 8
        soft = run(f"jpeg-diff:{values},rounding=cubic", x)
        assert psnr(soft, real) > psnr(real, x)


@pytest.mark.parametrize("rounding", ["straight", "cubic"])
def test_gradients_of_differentiable_jpeg_lead_downhill(rounding: str) -> None:
    target = photograph()[..., :64, :64]
    x = (target * 0.8 + 0.1).requires_grad_()
    d = degradation(f"jpeg-diff:quality=80,rounding={rounding}")
    params = d.sample(tuple(x.shape), generator=torch.Generator())
    loss = ((d.apply(x, params) - target) ** 2).mean()
    loss.backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all()) and float(x.grad.abs().mean()) > 0
    better = x.detach() - 0.1 * x.grad * x.numel()
    assert float(((d.apply(better, params) - target) ** 2).mean()) < 0.95 * float(loss.detach())


def test_real_jpeg_passes_the_gradient_straight() -> None:
    x = photograph()[..., :20, :20].requires_grad_()
    weight = torch.rand(1, 3, 20, 20)
    (run("jpeg:quality=20", x) * weight).sum().backward()
    assert x.grad is not None and torch.equal(x.grad, weight)


def test_clip_and_quantise() -> None:
    x = torch.tensor([-0.5, 0.0, 0.1, 0.5, 1.0, 1.7]).view(1, 1, 1, 6)
    assert run("clip", x).flatten().tolist() == pytest.approx([0, 0, 0.1, 0.5, 1, 1])
    assert run("quantise:bits=1", x).flatten().tolist() == [0, 0, 0, 1, 1, 1]
    photo = photograph()
    assert torch.equal(run("quantise", photo), photo)
    coarse = run("quantise:bits=3", photo)
    assert len(coarse.unique()) == 8 and float((coarse - photo).abs().max()) <= 1 / 14 + 1e-6
