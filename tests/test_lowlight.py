"""Raw data, sensor noise and exposure against their formulas and published constants."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from restore.degradations import degradation, lowlight, raw
from restore.degradations import sample as draw
from restore.degradations.demosaic import demosaic, mosaic
from restore.errors import RestoreError, UsageError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3])
def test_developing_undoes_unprocessing(channels: int, photo_tensor: Tensor) -> None:
    x = 0.1 + 0.7 * photo_tensor[:, :channels, :100, :101]
    camera = raw.random_camera(5)
    data = raw.unprocess(x, camera)
    assert float((raw.process(data, camera) - x).abs().max()) < 2e-5
    # Raw green is about light over the exposure's gain: darker than the picture.
    assert float(data.mean()) < 0.6 * float(x.mean())
    white = raw.unprocess(torch.ones((1, 3, 2, 2)), camera)
    assert white.flatten().tolist() == pytest.approx([1.0] * 12, abs=0.02)


def test_darkened_white_stays_white() -> None:
    camera = raw.random_camera(5)
    white = torch.ones((1, 3, 16, 16))
    for light in (0.3, 0.05):
        y = raw.expose(white, camera, 1, shot=1e-9, read=1e-12, demosaic="none", light=light)
        assert float(y.amax() - y.amin()) < 0.01


def test_unprocessing_is_the_papers() -> None:
    camera = raw.Camera(torch.eye(3, dtype=torch.float64), 1.25, 2.0, 1.6)
    x = torch.tensor([0.1, 0.3, 0.6]).view(1, 3, 1, 1)
    light = (0.5 - np.sin(np.arcsin(1 - 2 * np.array([0.1, 0.3, 0.6])) / 3)) ** 2.2
    expected = light / 1.25 / np.array([2.0, 1.0, 1.6])
    assert raw.unprocess(x, camera).flatten().numpy() == pytest.approx(expected, rel=1e-5)


def test_a_cameras_matrix_mixes_those_of_brooks_et_al() -> None:
    """The four published XYZ-to-camera matrices behind sRGB's, weighted by what the seed draws; rows sum to 1."""
    cameras = np.array([
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.613, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.838, -0.263, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.097, 0.1581, 0.5181]],
    ])  # fmt: skip
    srgb = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    for seed in range(4):
        red, blue, *weights = draw.draw_uniform(
            6, 0, 1, draw.generator(draw.child_seed(seed, "camera"))
        ).tolist()
        matrix = np.average(cameras, 0, weights) @ np.array(srgb)
        camera = raw.random_camera(seed)
        assert camera.matrix.numpy() == pytest.approx(matrix / matrix.sum(1, keepdims=True), rel=1e-6)
        assert camera.red == pytest.approx(1.9 + 0.5 * red) and camera.blue == pytest.approx(1.5 + 0.4 * blue)


def test_cameras_are_within_the_published_ranges() -> None:
    cameras = [raw.random_camera(s) for s in range(400)]
    for c in cameras:
        assert c.matrix.sum(1).tolist() == pytest.approx([1, 1, 1]) and bool(torch.linalg.det(c.matrix) > 0)
        assert 1.9 <= c.red <= 2.4 and 1.5 <= c.blue <= 1.9
    inverse = [1 / c.exposure for c in cameras]
    assert np.mean(inverse) == pytest.approx(0.8, abs=0.02) and np.std(inverse) == pytest.approx(
        0.1, abs=0.01
    )
    assert cameras[0].red != cameras[1].red and raw.random_camera(7).red == cameras[7].red


def test_mosaic_is_rggb_and_demosaicing_keeps_planes() -> None:
    x = torch.arange(3.0).view(1, 3, 1, 1).expand(1, 3, 5, 4)
    assert mosaic(x)[0, 0, :2, :2].tolist() == [[0, 1], [1, 2]]
    y, c = torch.meshgrid(torch.arange(21.0), torch.arange(32.0), indexing="ij")
    planes = torch.stack([y, c, y - c + 40])[None] / 50
    for kind in ("malvar", "bilinear"):
        made = demosaic(mosaic(planes), kind=kind)
        assert float((made - planes)[..., 3:-3, 3:-3].abs().max()) < 1e-6
        flat = torch.full((1, 3, 7, 5), 0.4)
        assert torch.allclose(demosaic(mosaic(flat), kind=kind), flat)
        known = mosaic(made)
        assert torch.equal(known, mosaic(planes)), "what the filter let through was changed"
    with pytest.raises(UsageError):
        raw.process(planes, raw.random_camera(0), demosaic="malver")


@pytest.mark.parametrize("level", [0.02, 0.2, 0.7])
def test_sensor_noise_has_the_stated_variance(level: float) -> None:
    flat = torch.full((1, 1, 512, 512), level)
    noise = raw.sensor_noise(flat, 3, shot=0.01, read=4e-4) - flat
    assert float(noise.var()) == pytest.approx(0.01 * level + 4e-4, rel=0.02)
    assert abs(float(noise.mean())) < 1e-3


def test_noise_seen_through_the_camera_is_correlated() -> None:
    flat = torch.full((1, 3, 256, 256), 0.5)
    between = {}
    for kind in raw.DEMOSAICS:
        y, _ = degradation(f"raw-noise:shot=0.002,demosaic={kind}")(flat, generator=generator())
        n = (y - y.mean((2, 3), keepdim=True))[0, 0]
        between[kind] = float((n[:, 1:] * n[:, :-1]).mean() / n.var())
    assert abs(between["none"]) < 0.02 and between["bilinear"] > 0.3 and between["malvar"] > 0.15


@pytest.mark.parametrize(
    ("profile", "log", "line"),
    [("brooks", np.log, (2.18, 1.20, 0.26)), ("sidd", np.log10, (1.85, 0.30, 0.20))],
)
def test_noise_levels_follow_the_published_lines(
    profile: str, log: np.ufunc, line: tuple[float, ...]
) -> None:
    d = degradation(f"raw-noise:profile={profile}")
    params = d.sample((3000, 3, 8, 8), generator=generator())
    shot, read = (v.numpy() for v in raw.levels(params))
    low, high = raw.PROFILES[profile][:2]
    assert low <= shot.min() < low * 1.05 and high / 1.05 < shot.max() <= high
    assert np.median(shot) == pytest.approx(math.sqrt(low * high), rel=0.1)
    rest = log(read) - line[0] * log(shot) - line[1]
    assert np.mean(rest) == pytest.approx(0, abs=0.02) and np.std(rest) == pytest.approx(line[2], rel=0.05)
    given = degradation("raw-noise:shot=0.003,read=0.0001").sample((2, 3, 8, 8), generator=generator())
    assert [v.tolist() for v in raw.levels(given)] == [[0.003] * 2, [0.0001] * 2]
    with pytest.raises(RestoreError):
        raw.levels(degradation("noise").sample((1, 3, 8, 8), generator=generator()))


def test_low_light_darkens_light_not_values_and_its_noise_stays() -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    quiet = "lowlight:shot=1e-9,read=1e-12,bits=16,gamma=2.2,demosaic=none,light="
    full, dark = (degradation(quiet + k)(flat, generator=generator())[0] for k in ("1", "0.05"))
    assert float((dark.mean() / full.mean()) ** 2.2) == pytest.approx(0.05, rel=0.01)
    ratio = []
    for k in ("0.5", "0.05"):
        y, _ = degradation(f"lowlight:shot=0.002,read=1e-5,gamma=2.2,light={k}")(flat, generator=generator())
        ratio.append(float(y.std() / y.mean()))
    assert ratio[1] > 2.5 * ratio[0], "noise must not be darkened with the picture"
    coarse, _ = degradation(quiet + "0.01")(flat, generator=generator())
    assert float(coarse.min()) >= 0 and float(coarse.max()) <= 1


@pytest.mark.parametrize("bits", [12, 14])
def test_raw_data_has_as_many_levels_as_its_bits_say(bits: int) -> None:
    """In a picture that is dark all over the few levels of the sensor can be counted."""
    ramp = torch.linspace(0, 0.1, 1 << 14).view(1, 1, 128, 128)
    name = f"lowlight:shot=1e-9,read=1e-12,bits={bits},gamma=2.2,demosaic=none,light=0.3"
    y, params = degradation(name)(ramp, generator=generator())
    (seed,) = params.seeds.tolist()
    camera = raw.random_camera(seed)
    highest = 0.3 * float(raw.unprocess(ramp, camera, saturated=False).max())
    levels = round(highest * (2**bits - 1)) + 1
    assert len(y.unique()) == pytest.approx(levels, abs=1)
    # Every level is a whole number of steps of the sensor (its noise is next to nothing).
    data = y.double().clamp(min=0).pow(2.2) / camera.exposure * (2**bits - 1)
    assert float((data - data.round()).abs().max()) < 0.02


def test_gains_fade_out_pixel_by_pixel_near_white() -> None:
    """Unprocessing looks at one pixel at a time, also where white is kept."""
    camera = raw.random_camera(3)
    bright = 0.9 + 0.1 * torch.rand((1, 3, 5, 6), generator=generator())
    bright[..., 0, 0] = torch.tensor([0.99, 0.2, 1.0])
    whole = raw.unprocess(bright, camera)
    for i in range(5):
        for j in range(6):
            alone = raw.unprocess(bright[:, :, i : i + 1, j : j + 1], camera)
            assert torch.allclose(whole[:, :, i : i + 1, j : j + 1], alone, atol=1e-6)
    # Brooks et al.: the mask is ((mean - 0.9) / 0.1)^2 of the light, and gains never brighten.
    x = torch.full((1, 1, 1, 1), 0.97)
    light = (0.5 - math.sin(math.asin(1 - 2 * 0.97) / 3)) ** 2.2
    mask = (max(light - 0.9, 0) / 0.1) ** 2
    gain = mask + (1 - mask) / camera.exposure
    assert float(raw.unprocess(x, camera)) == pytest.approx(light * max(gain, 1 / camera.exposure), rel=1e-4)


def test_gamma_model_is_the_papers() -> None:
    x = torch.rand((1, 3, 20, 20), generator=generator())
    y, _ = degradation("lowlight-gamma:alpha=0.9,beta=0.6,gamma=3,sigma=0,bits=0")(x, generator=generator())
    assert np.abs(y.numpy() - 0.6 * (0.9 * x.double().numpy()) ** 3).max() < 1e-6
    y, _ = degradation("lowlight-gamma:sigma=5")(x, generator=generator())
    assert float((y * 255 - (y * 255).round()).abs().max()) < 1e-4


def test_over_exposure_burns_what_the_mask_says() -> None:
    x = torch.rand((2, 3, 30, 30), generator=generator())
    y, params = degradation("overexposure:gain=2.5")(x, generator=generator())
    light = np.where(x <= 0.04045, x.double() / 12.92, ((x.double() + 0.055) / 1.055) ** 2.4) * 2.5
    mask = lowlight.burnt(x, params)
    assert np.array_equal(mask.numpy(), light >= 1) and torch.allclose(y[mask], torch.ones(()))
    kept = ~mask
    back = np.where(y <= 0.04045, y.double() / 12.92, ((y.double() + 0.055) / 1.055) ** 2.4)
    assert np.abs(back - light)[kept.numpy()].max() < 1e-6
    with pytest.raises(RestoreError):
        lowlight.burnt(x, degradation("noise").sample((2, 3, 30, 30), generator=generator()))
