"""What lies over a picture: masks that explain it, shapes that grow in place, codecs that store it."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from restore.degradations import Params, degradation
from restore.degradations.damage import LAYERS, masks
from restore.degradations.halftone import screen
from restore.degradations.order import OTHER, PLACES, by_place
from restore.degradations.overlay import poisson_count
from restore.degradations.presets import TABLE
from restore.degradations.sample import generator
from restore.degradations.watermark import _text
from restore.errors import ImageError, RestoreError
from restore.image import array_to_tensor, tensor_to_array, to_grey


def photo(h: int = 120, w: int = 160) -> Tensor:
    return array_to_tensor(data.astronaut()[:h, 150 : 150 + w])


@pytest.mark.parametrize("name", LAYERS)
def test_the_mask_says_how_much_of_the_picture_is_left(name: str) -> None:
    x = photo(96, 130).expand(3, -1, -1, -1)
    d = degradation(name)
    y, params = d(x, severity=4, generator=generator(3))
    m = masks(Params.from_json(json.loads(json.dumps(params.to_json()))), tuple(x.shape))
    assert m.shape == (3, 1, 96, 130) and float(m.min()) >= 0 and float(m.max()) <= 1
    assert 0.001 < float(m.mean()) < 0.9
    untouched = (m == 0).expand_as(x)
    assert torch.allclose(y[untouched], x[untouched], atol=1e-6)
    # y = (1 - m) x + c: what is painted does not depend on the picture.
    painted = d.apply(torch.zeros_like(x), params)
    assert torch.allclose((1 - m) * x + painted, y, atol=2e-6)
    half = masks(d.sample(tuple(x.shape), severity=0.5, generator=generator(3)), tuple(x.shape))
    whole = masks(d.sample(tuple(x.shape), severity=1, generator=generator(3)), tuple(x.shape))
    assert torch.allclose(half, whole / 2, atol=1e-6)


def test_masks_of_pipelines_and_mixtures_are_those_of_their_steps() -> None:
    shape = (2, 3, 64, 80)
    both = degradation(["scratches", "noise:sigma=5", "mask:shape=holes,cover=0.2"])
    params = both.sample(shape, generator=generator(1))
    one, two = masks(params.steps[0], shape), masks(params.steps[2], shape)
    assert torch.allclose(masks(params, shape), 1 - (1 - one) * (1 - two), atol=1e-6)
    worn = degradation(["worn-print", "dust"]).sample(shape, generator=generator(1))
    assert masks(worn, shape).shape == (2, 1, 64, 80)
    with pytest.raises(RestoreError, match="no mask"):
        masks(degradation("blur").sample(shape, generator=generator(1)), shape)


@pytest.mark.parametrize("name", ["scratches", "dust", "mask:shape=rectangles", "mask:shape=tears", "mildew"])
def test_a_stronger_one_adds_and_does_not_move(name: str) -> None:
    shape = (1, 1, 128, 160)
    found = [
        masks(degradation(name).sample(shape, severity=s, generator=generator(2)), shape) for s in (2, 5)
    ]
    weak, strong = (m > 0.3 for m in found)
    assert int(strong.sum()) > int(weak.sum())
    assert int((weak & strong).sum()) >= 0.9 * int(weak.sum())


@pytest.mark.parametrize("shape", ["rectangles", "strokes", "holes", "tears"])
def test_the_cover_of_a_mask_is_reached(shape: str) -> None:
    for cover in (0.1, 0.4):
        d = degradation(f"mask:shape={shape},cover={cover},value=1")
        y, params = d(torch.zeros(2, 1, 100, 140), generator=generator(4))
        assert set(y.unique().tolist()) == {0.0, 1.0}
        for share in masks(params, (2, 1, 100, 140)).mean((1, 2, 3)).tolist():
            assert cover - 1e-3 <= share < cover + (1e-3 if shape == "holes" else 0.12)
    everything = degradation("mask:cover=1")(photo(), generator=generator(1))[0]
    assert float(everything.abs().max()) == 0


def test_damage_looks_the_same_at_every_size() -> None:
    for name in ("scratches", "dust", "mildew", "crease", "watermark:layout=single"):
        shares = []
        for side in (256, 512):
            d, shape = degradation(name), (4, 1, side, side)
            shares.append(float(masks(d.sample(shape, severity=4, generator=generator(5)), shape).mean()))
        assert shares[1] == pytest.approx(shares[0], rel=0.3), name


def test_poisson_counts_by_quantile_are_scipys_and_never_fall() -> None:
    from scipy.stats import poisson

    for rate in (0.3, 4.0, 60.0, 400.0):
        for u in (0.001, 0.3, 0.5, 0.97):
            assert poisson_count(u, rate) == int(poisson.ppf(u, rate))
    assert poisson_count(0.5, 0.0) == 0
    counts = [poisson_count(0.7, rate) for rate in np.linspace(0, 1500, 60)]
    assert counts == sorted(counts)


def test_fading_is_its_formula_on_colours_that_show_each_part() -> None:
    x = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]).T.reshape(1, 3, 1, 3)
    plain = "saturation=1,yellow=0,sepia=0"
    y = degradation(f"fade:black=0.1,white=0.7,{plain}")(x, generator=generator(1))[0]
    assert torch.allclose(y, 0.1 + 0.6 * x)
    y = degradation("fade:black=0,white=1,saturation=0,yellow=0,sepia=0")(x, generator=generator(1))[0]
    assert torch.allclose(y, to_grey(x).expand_as(x), atol=1e-6)
    y = degradation("fade:black=0,white=1,saturation=1,yellow=1,sepia=0")(x, generator=generator(1))[0]
    assert torch.allclose(y[0, :, 0, 0], torch.tensor([1.0, 0.90, 0.66]))


def test_a_screen_has_every_threshold_as_often_and_keeps_the_tone() -> None:
    raster = screen(400, 400, 7.3, 30.0)
    shares = torch.histc(raster, 10, 0, 1) / raster.numel()
    assert float((shares - 0.1).abs().max()) < 0.015
    for tone in (0.0, 0.25, 0.5, 0.8, 1.0):
        x = torch.full((1, 1, 300, 300), tone)
        y, _ = degradation("halftone:pitch=8,contrast=1")(x, generator=generator(1))
        assert float(y.mean()) == pytest.approx(tone, abs=0.03)
        assert tone in (0.0, 1.0) or float(y.std()) > 0.3
    x = photo()
    y, _ = degradation("halftone:contrast=0")(x, generator=generator(1))
    assert torch.allclose(y, x, atol=1e-5)


def test_webp_and_avif_are_what_pillow_decodes() -> None:
    x = photo(61, 83)
    y, _ = degradation("webp:quality=30")(x, generator=generator(1))
    file = io.BytesIO()
    Image.fromarray(tensor_to_array(x, np.uint8)).save(file, "WEBP", quality=30, method=2)
    with Image.open(file) as coded:
        assert torch.equal(y, array_to_tensor(np.asarray(coded.convert("RGB"))))
    y, _ = degradation("avif:quality=30")(x, generator=generator(1))
    file = io.BytesIO()
    options = {"speed": 9, "max_threads": 1, "subsampling": "4:2:0"}
    Image.fromarray(tensor_to_array(x, np.uint8)).save(file, "AVIF", quality=30, **options)
    with Image.open(file) as coded:
        assert torch.equal(y, array_to_tensor(np.asarray(coded.convert("RGB"))))
    with pytest.raises(ImageError, match="16383"):
        degradation("webp")(torch.zeros(1, 1, 1, 16384), generator=generator(1))


def test_double_jpeg_moves_the_grid() -> None:
    x = photo(96, 128)
    same = degradation("double-jpeg:quality=30,quality2=90,down=0,right=0")(x, generator=generator(1))[0]
    twice = degradation(["jpeg:quality=30", "jpeg:quality=90"])(x, generator=generator(1))[0]
    assert torch.equal(same, twice)
    moved = degradation("double-jpeg:quality=30,quality2=98,down=3,right=5")(x, generator=generator(1))[0]
    # Blocks of the first now start 3 above and 5 left of the frame's: jumps at rows 5, 13, ... and columns 3, 11, ...
    grey = to_grey(moved)[0, 0].double()
    rows = (grey[2:] - grey[1:-1]).abs().mean(1) - (grey[1:-1] - grey[:-2]).abs().mean(1)
    columns = (grey[:, 2:] - grey[:, 1:-1]).abs().mean(0) - (grey[:, 1:-1] - grey[:, :-2]).abs().mean(0)
    by_row = [float(rows[r::8].mean()) for r in range(8)]
    by_column = [float(columns[c::8].mean()) for c in range(8)]
    # Index i compares rows i + 2 and i + 1 with i + 1 and i.
    assert int(np.argmax(by_row)) == (5 - 2) % 8 and int(np.argmax(by_column)) == (3 - 2) % 8


def test_banding_leaves_as_many_levels_as_it_says() -> None:
    x = torch.linspace(0, 1, 500).view(1, 1, 1, 500)
    y, _ = degradation("banding:levels=6")(x, generator=generator(1))
    assert torch.allclose(y.unique(), torch.linspace(0, 1, 6))
    colour = photo()
    z, _ = degradation("banding:levels=5,channels=luma")(colour, generator=generator(1))
    assert torch.allclose(z - to_grey(z), colour - to_grey(colour), atol=1e-5)
    assert len((to_grey(z) * 4).round(decimals=3).unique()) <= 5


def test_every_degradation_has_one_place_in_the_physical_order() -> None:
    listed = [name for names in PLACES.values() for name in names]
    assert len(listed) == len(set(listed))
    assert OTHER not in by_place(sorted(TABLE)), f"add to PLACES: {by_place(sorted(TABLE))[OTHER]}"


def test_the_lettering_of_a_watermark_is_whole() -> None:
    """No letter is cut off by the plane it is drawn on, and the plane is no larger than it need be."""
    for seed in range(12):
        u = np.random.default_rng(seed).random(12)
        plane = _text(u, seed)
        ink = np.nonzero(plane > 0.5)
        assert plane[0].max() == plane[-1].max() == plane[:, 0].max() == 0
        assert np.ptp(ink[0]) > 0.5 * plane.shape[0] and np.ptp(ink[1]) > 0.8 * plane.shape[1]
