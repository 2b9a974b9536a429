"""Haze, rain, snow, drops and water against their formulas and against what they must look like."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from restore.degradations import (
    Params,
    colour,
    degradation,
    haze,
    lens_drops,
    night_haze,
    precipitation,
    underwater,
)
from restore.degradations.depth import depth_proxy
from restore.degradations.fields import fbm, splat
from restore.degradations.presets import TABLE, replay
from restore.errors import RestoreError, UsageError
from restore.resample import imresize

SRGB_IN = np.array([-0.1, 0.0, 0.04045, 0.2, 0.5, 0.735357, 1.0])
SRGB_OUT = np.array([-0.00773994, 0.0, 0.00313080, 0.03310477, 0.21404114, 0.5, 1.0])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def decode(x: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 in double precision."""
    return np.where(x <= 0.04045, x / 12.92, ((np.maximum(x, 0) + 0.055) / 1.055) ** 2.4)


def encode(x: np.ndarray) -> np.ndarray:
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 0) ** (1 / 2.4) - 0.055)


def test_srgb_curve_is_exact_and_there_and_back_again_is_nothing() -> None:
    assert colour.to_linear(torch.from_numpy(SRGB_IN)).numpy() == pytest.approx(SRGB_OUT, abs=1e-5)
    x = torch.linspace(-0.5, 1.5, 200_001)
    assert float((colour.to_encoded(colour.to_linear(x)) - x).abs().max()) < 1e-6
    assert np.abs(colour.to_linear(x).numpy() - decode(x.double().numpy())).max() < 1e-6
    pieces = colour.to_linear(x)
    whole = colour.to_linear(x.clone().requires_grad_())
    assert torch.equal(pieces, whole.detach())
    assert (
        float((colour.to_encoded(colour.to_linear(x, space="power"), space="power") - x)[60_000:].abs().max())
        < 1e-6
    )
    with pytest.raises(UsageError, match="space"):
        colour.to_linear(x, space="sRGB2")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["haze", "fog", "sandstorm", "night-haze", "underwater:model=uwcnn|revised"])
def test_maps_reproduce_the_picture(name: str, channels: int, photo_tensor: Tensor) -> None:
    clean = photo_tensor[..., :120, :160].repeat(2, 1, 1, 1)[:, :channels]
    d = degradation(name)
    y, params = d(clean, generator=generator(4))
    shape = tuple(clean.shape)
    if d.name == "night-haze":
        made = night_haze.maps(clean, params)
    else:
        made = (underwater if d.name == "underwater" else haze).maps(shape, params)
    j = clean.double().numpy()
    linear = made.space[0] == "linear"
    j = decode(j) if linear else j
    t, a = made.transmission.double().numpy(), made.airlight.double().numpy()
    light = np.array(params.values["light"]).reshape(-1, 1, 1, 1) if d.name == "night-haze" else 1.0
    direct = made.direct.double().numpy() if d.name == "underwater" else light * t
    expected = j * direct + a * (1 - t)
    assert np.abs((encode(expected) if linear else expected) - y.numpy()).max() < 1e-6
    assert t.min() >= 0 and t.max() <= 1
    assert torch.equal(made.compose(clean), y)


def test_haze_follows_the_depth_that_the_caller_knows() -> None:
    clean = torch.rand((2, 3, 20, 30), generator=generator())
    d = degradation("haze:beta=1.2,airlight=0.9")
    params = d.sample((2, 3, 20, 30), generator=generator())
    depth = torch.linspace(0, 1, 30).expand(2, 1, 20, 30)
    t = haze.maps((2, 3, 20, 30), params, depth=depth).transmission
    assert torch.allclose(t, torch.exp(-1.2 * depth), atol=1e-6)
    y = haze.haze(clean, seed=params.seeds, **params.values, depth=depth)
    assert torch.allclose(y, clean * t + 0.9 * (1 - t), atol=1e-6)
    assert torch.allclose(y[..., 0], clean[..., 0], atol=1e-6)
    with pytest.raises(UsageError, match="1 x 20 x 30"):
        haze.maps((2, 3, 20, 30), params, depth=depth[..., 1:])
    with pytest.raises(UsageError, match="below zero"):
        haze.maps((2, 3, 20, 30), params, depth=-depth)
    with pytest.raises(RestoreError, match="rain"):
        haze.maps((2, 3, 20, 30), degradation("rain").sample((2, 3, 20, 30), generator=generator()))


@pytest.mark.parametrize("name", ["haze", "fog", "night-haze", "sandstorm", "rain", "snow", "underwater"])
def test_a_depth_from_a_file_is_used_and_replayed(name: str, tmp_path: Path) -> None:
    plane = np.zeros((20, 30), dtype=np.uint8)
    plane[:10] = 255
    Image.fromarray(plane).save(tmp_path / "depth.png")
    x = torch.rand((2, 3, 40, 60), generator=generator()) * 0.2 + 0.2
    y, params = degradation(f"{name}:depth={tmp_path / 'depth.png'},severity=4")(x, generator=generator(1))
    read = Params.from_json(json.loads(json.dumps(params.to_json())))
    assert torch.equal(replay(read).apply(x, read), y)
    given = imresize(torch.from_numpy(plane)[None, None] / 255, size=(40, 60), kernel="bilinear")
    known = {k: v for k, v in params.values.items() if k != "depth"}
    assert torch.allclose(TABLE[name].function(x, seed=params.seeds, **known, depth=given), y, atol=1e-6)
    assert not torch.allclose(TABLE[name].function(x, seed=params.seeds, **known), y, atol=1e-2)
    broken = degradation(f"{name}:depth={tmp_path / 'none.png'}")
    with pytest.raises(RestoreError, match=r"none\.png"):
        broken(x, generator=generator(1))


def test_sand_is_yellow_and_takes_blue_first() -> None:
    params = degradation("sandstorm").sample((4, 3, 40, 40), severity=4, generator=generator())
    made = haze.maps((4, 3, 40, 40), params)
    t, a = made.transmission.mean((2, 3)), made.airlight.mean((2, 3))
    assert bool((t[:, 0] > t[:, 1]).all() and (t[:, 1] > t[:, 2]).all())
    assert bool((a[:, 0] > a[:, 1]).all() and (a[:, 1] > a[:, 2]).all())


def test_lamps_glow_at_night() -> None:
    dark = torch.full((1, 3, 96, 96), 0.1)
    lit = dark.clone()
    lit[..., 40:44, 60:64] = 1.0
    around = night_haze.glows(lit)[0, 0]
    assert float(around[42, 62]) > 0.5 and float(around[42, 62]) > float(around[42, 40]) > float(
        around[90, 5]
    )
    assert float(night_haze.glows(dark).max()) == 0


def test_fractal_fields_keep_their_shape_at_every_size_and_fall_with_frequency() -> None:
    field = fbm(3, 200, 300)
    assert (float(field.min()), float(field.max())) == (0, 1) and field.shape == (200, 300)
    large = torch.nn.functional.interpolate(fbm(3, 400, 600)[None, None], size=(200, 300), mode="area")[0, 0]
    assert np.corrcoef(field.ravel(), large.ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(field.ravel(), fbm(4, 200, 300).ravel())[0, 1]) < 0.6
    power = np.abs(np.fft.fft2(field - field.mean()))[0, 1:100] ** 2
    bands = [power[a:b].mean() for a, b in ((0, 4), (4, 16), (16, 64))]
    assert bands[0] > 4 * bands[1] > 16 * bands[2]
    assert fbm(1, 1, 1).tolist() == [[0.5]]


def test_depth_is_far_above_and_near_below() -> None:
    planes = torch.stack([depth_proxy(seed, 60, 80) for seed in range(30)])
    assert float(planes.min()) > 0 and float(planes.amax((1, 2)).min()) == 1
    assert float((planes[:, :15].mean((1, 2)) > planes[:, -15:].mean((1, 2))).float().mean()) > 0.95


def test_points_keep_their_weight_and_place() -> None:
    spots = splat(np.array([2.25, -0.5, 9.0]), np.array([3.5, 1.0, 2.0]), np.array([1.0, 2.0, 4.0]), 6, 7)
    assert spots.sum() == pytest.approx(2.0)
    assert spots[2:4, 3:5] == pytest.approx(np.array([[0.375, 0.375], [0.125, 0.125]]))


@pytest.mark.parametrize("name", ["rain", "rain:mode=add", "snow", "snow:space=srgb"])
def test_rain_and_snow_are_light_mixed_by_their_masks(name: str, photo_tensor: Tensor) -> None:
    clean = photo_tensor[..., :150, :200]
    y, params = degradation(name)(clean, severity=3, generator=generator(2))
    made = precipitation.maps(tuple(clean.shape), params)
    space = params.values["space"][0]
    there, back = (decode, encode) if space == "linear" else (np.asarray, np.asarray)
    t, air = made.veil.transmission.double().numpy(), made.veil.airlight.double().numpy()
    a, e = made.mask.double().numpy(), made.light.double().numpy()
    seen = there(clean.double().numpy()) * t + air * (1 - t)
    mixed = seen + a * e if "add" in name else seen * (1 - a) + a * e
    assert np.abs(back(mixed) - y.numpy()).max() < 1e-6
    assert a.min() >= 0 and a.max() < 1 and torch.equal(made.compose(clean), y)


def test_streaks_lie_along_their_angle_and_grow_with_the_picture() -> None:
    for angle in (-25, 0, 30):
        d = degradation(f"rain:angle={angle},width=4,length=60,coverage=0.1")
        mask = precipitation.maps(
            (1, 1, 224, 224), d.sample((1, 1, 224, 224), severity=3, generator=generator())
        ).mask
        gy, gx = np.gradient(gaussian_filter(mask[0, 0].numpy(), 3))
        # Gradients point across the streaks.
        across = 0.5 * math.degrees(math.atan2(2 * (gx * gy).sum(), (gx**2 - gy**2).sum()))
        assert across == pytest.approx(-angle, abs=3)
    plain, shares = degradation("rain:angle=10"), []
    for side in (224, 448):
        shape = (1, 1, side, side)
        params = plain.sample(shape, severity=4, generator=generator())
        shares.append(float(precipitation.maps(shape, params).mask.mean()))
    assert shares[0] == pytest.approx(shares[1], rel=0.15)
    lengths = [
        plain.sample((1, 3, s, s), severity=4, generator=generator()).values["length"].item()
        for s in (224, 448)
    ]
    assert lengths == [22, 44]


def test_a_drop_shows_the_scene_upside_down_and_leaves_the_rest() -> None:
    ramp = torch.linspace(0.2, 0.8, 200)[:, None].expand(1, 3, 200, 200).contiguous()
    d = degradation("raindrop:coverage=0.05,radius=8,rim=0,refraction=2,opacity=1")
    y, params = d(ramp, generator=generator(3))
    mask = lens_drops.maps((1, 3, 200, 200), params)
    outside = (mask == 0).expand_as(ramp)
    assert torch.equal(y[outside], ramp[outside]) and 0.01 < float(mask.mean()) < 0.2
    down = (y[..., 1:, :] - y[..., :-1, :])[:, :1]
    inside = (mask[..., 1:, :] > 0.99) & (mask[..., :-1, :] > 0.99)
    assert float((down[inside] < 0).float().mean()) > 0.8


def test_water_takes_red_first_and_coasts_take_blue() -> None:
    shape = (2, 3, 30, 30)
    d = degradation("underwater:model=uwcnn,below=4,distance=8,brightness=1.5")
    params = d.sample(shape, generator=generator())
    params.values["water"][:] = ["I", "9C"]
    depth = torch.ones(shape[2:])
    made = underwater.maps(shape, params, depth=depth)
    for i, n in enumerate(np.array([[0.805, 0.961, 0.982], [0.55, 0.46, 0.29]])):
        assert made.direct[i, :, 0, 0].numpy() == pytest.approx(1.5 * n**4 * n**8, rel=1e-4)
        assert made.airlight[i, :, 0, 0].numpy() == pytest.approx(1.5 * n**4, rel=1e-4)
    revised = degradation("underwater:model=revised,water=II")
    made = underwater.maps(shape, revised.sample(shape, severity=4, generator=generator()))
    assert not torch.allclose(
        made.direct / made.direct.amax(), made.transmission / made.transmission.amax(), atol=0.01
    )
