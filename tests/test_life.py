"""A picture's life: processing, resizing and coding after the faults, drawn and replayed."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data
from torch import Tensor

from restore.degradations import Params, degradation
from restore.degradations.presets import replay
from restore.degradations.truth import processed_truth
from restore.image import array_to_tensor, to_grey
from restore.resample import imresize


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return imresize(array_to_tensor(data.astronaut()), size=(96, 128), kernel="area")


def records(text: str, count: int, **values: float) -> list[list[dict]]:
    shape = (count, 3, 64, 64)
    return degradation(text).sample(shape, generator=generator(1), **values).values["steps"]


def test_half_of_the_lives_leave_a_picture_alone_and_none_changes_its_size(photo: Tensor) -> None:
    rows = records("life", 600)
    assert sum(not row for row in rows) / 600 == pytest.approx(0.5, abs=0.06)
    names = Counter(r["name"] for row in rows for r in row)
    assert set(names) == {"camera-denoise", "sharpen", "jpeg", "webp"}
    assert not [row for row in records("life:untouched=0", 50) if not row]
    y, _ = degradation("life:untouched=0")(photo, generator=generator())
    assert y.shape == photo.shape and not torch.equal(y, photo)


def test_resized_lives_have_the_usual_factors_and_qualities() -> None:
    rows = records("life-resized", 800)
    sizes = [[r["values"]["factor"] for r in row if r["name"] == "resize"] for row in rows]
    assert sum(len(f) == 2 for f in sizes) / 800 == pytest.approx(0.09, abs=0.03)
    factors = [f[0] for f in sizes if f]
    assert len(factors) / 800 == pytest.approx(0.9, abs=0.04) and min(factors) >= 0.2
    assert sum(f <= 0.6 for f in factors) / 800 == pytest.approx(0.7, abs=0.06)
    quality = [r["values"]["quality"] for row in rows for r in row if r["name"] in ("jpeg", "webp")]
    assert min(quality) >= 40 and max(quality) <= 98
    last = [row[-1] for row in rows]
    assert {r["name"] for r in last} == {"jpeg", "webp"}
    kinds = Counter(r["values"]["subsampling"] for row in rows for r in row if r["name"] == "jpeg")
    assert 0.75 < kinds["420"] / kinds.total() < 0.85
    tones = [r["values"] for row in rows for r in row if r["name"] == "tone-curve"]
    assert max(abs(t["exposure"]) for t in tones) <= 0.5
    assert all(0.8 <= t["saturation"] <= 1.3 for t in tones)


def test_a_life_follows_any_degradation_and_replays_from_its_record(photo: Tensor) -> None:
    for chain in (["rain", "life"], ["noise:sigma=10", "life-resized:scale=2.5"], ["haze", "life", "life"]):
        d = degradation(chain)
        for seed in range(4):
            y, params = d(photo, generator=generator(seed))
            read = Params.from_json(json.loads(json.dumps(params.to_json())))
            assert torch.equal(replay(read).apply(photo, read), y)
            assert tuple(y.shape) == d.shape_after(tuple(photo.shape), params)
    assert degradation("life-resized:scale=2")(photo, generator=generator())[0].shape[-2:] == (48, 64)
    assert degradation("life-resized:scale=1").keeps_size and degradation("life").keeps_size
    assert not degradation("life-resized").keeps_size


def test_the_truth_beside_a_life_has_its_size_and_tones_and_no_codec(photo: Tensor) -> None:
    for seed in range(6):
        y, params = degradation(["noise:sigma=25", "life-resized"])(photo, generator=generator(seed))
        truth = processed_truth(photo, params)
        assert truth.shape == y.shape
        assert float((truth.mean((2, 3)) - y.mean((2, 3))).abs().max()) < 0.03
    y, params = degradation(["noise:sigma=25", "life"])(photo, generator=generator(1))
    assert torch.equal(processed_truth(photo, params), photo)


def test_sharpening_is_an_unsharp_mask(photo: Tensor) -> None:
    y, _ = degradation("sharpen:radius=1.2,amount=0.7")(photo, generator=generator())
    plane = photo[0, 1].double().numpy()
    blurred = ndimage.gaussian_filter(plane, 1.2, mode="nearest", truncate=3)
    expected = plane + 0.7 * (plane - blurred)
    assert np.abs(y[0, 1].numpy() - expected).max() < 1e-4


def test_light_denoising_takes_noise_and_leaves_edges() -> None:
    step = torch.zeros(1, 3, 64, 64)
    step[..., 32:] = 0.8
    noisy = step + 0.02 * torch.randn(step.shape, generator=generator(3))
    y, _ = degradation("camera-denoise:strength=10,chroma=1.5")(noisy, generator=generator())
    flat = (..., slice(6, 58), slice(6, 24))
    assert float((y - step)[flat].std()) < 0.4 * float((noisy - step)[flat].std())
    jump = to_grey(y)[..., 33].mean() - to_grey(y)[..., 30].mean()
    assert float(jump) > 0.75


def test_a_tone_curve_keeps_greys_grey_and_counts_stops(photo: Tensor) -> None:
    grey = torch.linspace(0.05, 0.6, 50).view(1, 1, 1, 50).expand(1, 3, 4, 50)
    one = degradation("tone-curve:exposure=1,contrast=0,saturation=1.3")(grey, generator=generator())[0]
    assert torch.allclose(one**2.2, 2 * grey**2.2, atol=1e-5)
    same = degradation("tone-curve:exposure=0,contrast=0,saturation=1")(photo, generator=generator())[0]
    assert torch.allclose(same, photo.clamp(0, 1), atol=1e-6)
    curve = degradation("tone-curve:exposure=0,contrast=0.5,saturation=1")(grey, generator=generator())[0]
    assert bool((curve[..., 1:] > curve[..., :-1]).all())
