"""Families in many looks: what the wide table names, and what its makers do to a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal
from skimage import data
from torch import Tensor

from restore.degradations import degradation, mixtures, psf_trace, trace
from restore.degradations.drawn_depth import PLANS, drawn_depth
from restore.degradations.families import WIDE_FAMILIES
from restore.degradations.local_blur import PARTS, line_psf
from restore.degradations.mixtures import MIXTURES
from restore.degradations.order import OTHER, place_of
from restore.degradations.stamps import disc_shape, line_shape, scattered, smooth_plane, stamped
from restore.image import array_to_tensor, to_grey
from restore.resample import imresize

WIDE = [spec for specs in WIDE_FAMILIES.values() for spec in specs]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return imresize(array_to_tensor(data.astronaut()), size=(96, 96), kernel="area")


@pytest.mark.parametrize("spec", WIDE)
def test_every_look_changes_the_picture_keeps_its_size_and_has_a_place(spec: str, photo: Tensor) -> None:
    d = degradation(spec)
    assert d.keeps_size and place_of(d.name) != OTHER
    changed = 0
    for seed in range(12):
        y, params = d(photo, generator=generator(seed))
        assert y.shape == photo.shape and bool(torch.isfinite(y).all())
        assert params.values.get("steps", [[1]])[0], "nothing was drawn"
        changed += float((y.clamp(0, 1) - photo).abs().mean()) > 2e-3
        strong, _ = d(photo, severity=4, generator=generator(seed))
        assert not torch.equal(strong, photo)
    assert changed >= 11


@pytest.mark.parametrize("name", sorted({s.partition(":")[0] for s in WIDE} & set(mixtures())))
def test_every_maker_of_a_look_is_drawn_sooner_or_later(name: str) -> None:
    rows = degradation(name).sample((200, 3, 64, 64), generator=generator(2)).values["steps"]
    assert {r["name"] for row in rows for r in row} == set(MIXTURES[name].needs)


def test_a_look_grows_with_its_severity(photo: Tensor) -> None:
    for spec in WIDE:
        means = []
        for severity in (0, 1, 3, 5):
            runs = [degradation(spec)(photo, severity=severity, generator=generator(s))[0] for s in range(10)]
            means.append(float(np.mean([float(((y.clamp(0, 1) - photo) ** 2).mean()) for y in runs])))
        assert means[0] == 0 < means[1] < means[3], (spec, means)


def test_scattered_shapes_cover_what_they_should_and_stay_where_they_are() -> None:
    shape = disc_shape(3.0, soft=1.0)
    thin, thick = (scattered(5, 200, 240, coverage=c, shapes=[shape], fade=0.0) for c in (0.1, 0.3))
    assert thin.mean() == pytest.approx(0.1, rel=0.25) and thick.mean() == pytest.approx(0.3, rel=0.15)
    assert bool((thick >= thin - 1e-3).all())
    assert scattered(5, 1, 1, coverage=0.3, shapes=[shape]).shape == (1, 1)


@pytest.mark.parametrize("angle", [0.0, 30.0, -60.0])
def test_a_line_points_where_its_angle_says(angle: float) -> None:
    shape = line_shape(31.0, 2.0, angle).astype(np.float64)
    y, x = np.mgrid[: shape.shape[0], : shape.shape[1]] - np.array(shape.shape)[:, None, None] // 2
    moments = np.array([[(shape * a * b).sum() for a in (y, x)] for b in (y, x)])
    direction = np.linalg.eigh(moments)[1][:, -1]
    assert np.degrees(np.arctan(direction[1] / direction[0])) == pytest.approx(angle, abs=1.0)
    assert shape.shape[0] % 2 == shape.shape[1] % 2 == 1


def test_smooth_planes_fill_their_range_and_are_smooth() -> None:
    plane = smooth_plane(3, 120, 90, cells=3)
    assert (plane.min(), plane.max()) == (0, 1)
    assert np.abs(np.diff(plane, axis=0)).max() < 0.12


def test_streaks_run_along_their_slant_and_brighten(photo: Tensor) -> None:
    dark = torch.full((1, 3, 160, 160), 0.2)
    for source in ("lines", "noise"):
        spec = f"rain-streaks:source={source},angle=20,spread=0,length=30,width=1.2,opacity=0.8,blend=screen"
        y = degradation(spec)(dark, generator=generator(4))[0]
        assert bool((y >= dark - 1e-6).all()) and float(y.max()) < 1
        down, right = (float(y.diff(dim=axis).abs().mean()) for axis in (-2, -1))
        assert right > 1.8 * down  # steep streaks change little along their way
    falling = degradation("rain-streaks:angle=35,blend=alpha,spread=0")(dark, generator=generator(1))[0][0, 0]
    plain = falling - falling.mean()
    along, across = ((plain[8:, 5:] * plain[:-8, :-5]).mean(), (plain[8:, :-5] * plain[:-8, 5:]).mean())
    assert float(along) > 2 * abs(float(across))


def test_flakes_are_round_spots_and_smear_with_length() -> None:
    dark = torch.full((1, 3, 160, 160), 0.2)
    spec = "snow-flakes:coverage=0.05,radius=2,softness=0.5,opacity=1,blend=alpha,light=1,angle=0"
    still = degradation(spec)(dark, generator=generator(2))[0]
    moved = degradation(f"{spec},length=20")(dark, generator=generator(2))[0]
    ratios = [float(y.diff(dim=-1).abs().mean() / y.diff(dim=-2).abs().mean()) for y in (still, moved)]
    assert ratios[0] == pytest.approx(1, abs=0.2) and ratios[1] > 1.5


@pytest.mark.parametrize("plan", PLANS)
def test_every_plan_of_depth_fills_its_range_and_stays_at_any_size(plan: str) -> None:
    for seed in range(4):
        small, large = drawn_depth(seed, (60, 80), plan), drawn_depth(seed, (120, 160), plan)
        assert float(large.max()) <= 1 and float(large.min()) >= 0
        if plan != "even":
            assert float(large.max() - large.min()) > 0.6
            shrunk = torch.nn.functional.avg_pool2d(large, 2)
            assert float((shrunk - small).abs().mean()) < 0.06


def test_haze_mixes_towards_the_air_and_thick_haze_is_the_air(photo: Tensor) -> None:
    spec = "scene-haze:airlight=0.8,warmth=0.1,tint=0,near=1,plan=even"
    y = degradation(f"{spec},beta=0.7,space=srgb")(photo, generator=generator(1))[0]
    air = torch.tensor([0.84, 0.8, 0.76]).view(1, 3, 1, 1)
    assert torch.allclose(y, photo * np.exp(-0.7) + air * (1 - np.exp(-0.7)), atol=1e-5)
    thick = degradation(f"{spec},beta=30,space=linear")(photo, generator=generator(1))[0]
    assert torch.allclose(thick, air.expand_as(thick), atol=1e-4)


def test_water_takes_most_of_what_its_colour_lacks(photo: Tensor) -> None:
    for hue, kept, lost in ((120, 1, 0), (210, 2, 0)):
        spec = f"tinted-water:hue={hue},saturation=0.9,attenuation=2,least=0.1,near=0.5,plan=plane"
        for share in (0, 1):
            y = degradation(f"{spec},backscatter={share}")(photo, generator=generator(1))[0]
            ratio = y.mean((0, 2, 3)) / photo.mean((0, 2, 3))
            assert float(ratio[kept]) > 1.5 * float(ratio[lost])
    soft = degradation("tinted-water:turbidity=3")(photo, generator=generator(3))[0]
    sharp = degradation("tinted-water:turbidity=0")(photo, generator=generator(3))[0]
    assert float(soft.diff(dim=-1).abs().mean()) < float(sharp.diff(dim=-1).abs().mean())


def test_a_line_blur_is_even_centred_and_directed() -> None:
    for angle in (0.0, 30.0, 90.0, 135.0):
        psf = line_psf(21.0, angle)
        y, x = (torch.arange(n, dtype=torch.float64) - n // 2 for n in psf.shape)
        middle = (float((psf.sum(1) * y).sum()), float((psf.sum(0) * x).sum()))
        assert float(psf.sum()) == pytest.approx(1) and middle == pytest.approx((0, 0), abs=0.01)
        spread = float(
            (psf * (y[:, None] * -np.sin(np.radians(angle)) + x * np.cos(np.radians(angle))) ** 2).sum()
        )
        assert spread**0.5 == pytest.approx(21 / 12**0.5, rel=0.08)


def test_a_turn_leaves_its_centre_sharp(photo: Tensor) -> None:
    fine = torch.rand((1, 3, 129, 129), generator=generator(2))
    y = degradation("rotation-blur:angle=12,offset=0")(fine, generator=generator(1))[0]
    off = (y - fine).abs()
    assert float(off[..., 62:67, 62:67].mean()) < 0.5 * float(off[..., :20, :20].mean())


@pytest.mark.parametrize("part", PARTS)
def test_a_partial_blur_leaves_a_part_sharp(part: str) -> None:
    fine = torch.rand((1, 3, 128, 128), generator=generator(2))
    for kind in ("disc", "gaussian", "line"):
        y = degradation(f"partial-blur:size=6,kind={kind},part={part}")(fine, generator=generator(4))[0]
        off = torch.nn.functional.avg_pool2d((y - fine).abs().mean(1, keepdim=True), 8)
        assert float(off.min()) < 0.3 * float(off.max())


def test_dim_light_has_the_noise_it_says() -> None:
    flat = torch.full((1, 3, 256, 256), 0.5)
    spec = "dim-light:light=0.1,depth=1,shot=0.002,read=0,warmth=0,vignette=0,gamma=2.2"
    y = degradation(spec)(flat, generator=generator(1))[0].double() ** 2.2
    light = 0.1 * 0.5**2.2
    assert float(y.mean()) == pytest.approx(light, rel=0.02)
    assert float(y.var()) == pytest.approx(0.002 * light, rel=0.06)
    levels = degradation("dim-light")(flat, generator=generator(2))[0] * 255
    assert torch.allclose(levels, levels.round(), atol=1e-4)


def test_blotches_are_coloured_and_as_wide_as_they_say() -> None:
    flat = torch.full((1, 3, 256, 256), 0.5)
    y = degradation("chroma-noise:sigma=10,size=3,luma=0,shadows=0")(flat, generator=generator(1))[0] - 0.5
    assert float(to_grey(y).abs().max()) < 1e-5
    red = y[0, 0].double() * 255
    assert float(red.std()) == pytest.approx(10, rel=0.15)
    lag = float((red[:, 3:] * red[:, :-3]).mean() / red.var())
    assert lag == pytest.approx(np.exp(-(3**2) / (4 * 3**2)), abs=0.12)
    dark = degradation("chroma-noise:sigma=10,size=1,shadows=1")(flat * 0.1, generator=generator(1))[0]
    light = degradation("chroma-noise:sigma=10,size=1,shadows=1")(flat * 1.9, generator=generator(1))[0]
    assert float(dark.std((-1, -2)).mean()) > 2 * float(light.std((-1, -2)).mean())


def test_the_psf_of_a_line_is_traced() -> None:
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    y, params = degradation(["line-blur:length=15,angle=40", "life:untouched=1"])(
        point, generator=generator(1)
    )
    assert torch.allclose(psf_trace(params, reach=20), y.clamp(min=0), atol=1e-6)


@pytest.mark.parametrize("side", [5, 31])
def test_stamping_one_by_one_and_filtering_are_the_same(side: int) -> None:
    rng = np.random.default_rng(0)
    shapes = [rng.random((side, side + 2), dtype=np.float32) for _ in range(2)]
    for share in (0.0003, 0.2):  # few are stamped, many filtered
        points = (rng.random((90, 110)) < share) * rng.random((90, 110))
        points = points.astype(np.float32)
        for made, shape in zip(stamped(points, shapes), shapes, strict=True):
            expected = signal.convolve(points, shape, mode="same")
            assert made.shape == points.shape and np.abs(made - expected).max() < 1e-3


def test_cracks_and_drops_are_traced(photo: Tensor) -> None:
    y, params = degradation(["cracks", "glass-drops:focus=0", "life:untouched=1"])(
        photo, generator=generator(5)
    )
    mask = trace(params, tuple(photo.shape))
    assert 0.01 < float((mask > 0.05).float().mean()) < 0.9
    outside = (mask == 0).expand_as(photo)
    assert torch.equal(y[outside], photo[outside])
    assert float((y - photo).abs()[(mask > 0.5).expand_as(photo)].mean()) > 0.02


def test_a_drop_shows_the_scene_upside_down() -> None:
    sky = torch.linspace(1, 0, 200).view(1, 1, 200, 1).expand(1, 3, 200, 200).contiguous()
    spec = "glass-drops:radius=14,coverage=0.1,focus=0,rim=0,spot=0,opacity=1,bend=3"
    y, params = degradation(spec)(sky, generator=generator(3))
    mask = trace(params, tuple(sky.shape))[0, 0]
    down = (y - sky)[0, 0].diff(dim=0)[(mask[1:] > 0.99) & (mask[:-1] > 0.99)]
    assert float(down.median()) > 0.01  # brighter below, where the scene grows darker


def test_a_print_without_colour_has_one_hue() -> None:
    x = torch.rand((1, 3, 40, 40), generator=generator(1))
    y = degradation("print-tone:mono=1,hue=40,tint=0.3,black=0.1,white=0.9,edges=0,gamma=1")(
        x, generator=generator()
    )[0]
    inside = (y < 1).all(1, keepdim=True).expand_as(y)
    ratio = (y / to_grey(y))[inside].view(3, -1)
    assert float(ratio.std(1).max()) < 1e-4 and float(ratio[0].mean()) > float(ratio[2].mean())
    assert float(to_grey(y).min()) > 0.09 and float(to_grey(y).max()) < 0.91


def test_a_margin_lies_around_the_print_and_corners_can_be_round() -> None:
    x = torch.zeros((1, 3, 120, 160))
    y = degradation("print-margin:share=0.1,brightness=1")(x, generator=generator(2))[0]
    assert float(y[..., 0, :].min()) > 0.9 and float(y[..., :, -1].min()) > 0.9
    assert float(y[..., 40:80, 40:120].max()) == 0
    cut = degradation("print-margin:share=0.1,brightness=1,round=0.2")(x, generator=generator(2))[0]
    assert float(cut.mean()) > float(y.mean())


def test_moire_has_bands_of_its_period_in_every_channel_apart() -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    spec = "moire:amount=0.2,period=8,angle=0,bend=0,rows=0"
    y = degradation(f"{spec},colour=1")(flat, generator=generator(1))[0][0] - 0.5
    waves = torch.fft.rfft(y[:, 64])
    assert waves.abs()[:, 1:].argmax(1).tolist() == [15, 15, 15]
    phases = torch.angle(waves[:, 16])
    assert float(torch.cos(phases[1] - phases[0])) == pytest.approx(-0.5, abs=0.1)
    grey = degradation(f"{spec},colour=0")(flat, generator=generator(1))[0][0]
    assert torch.allclose(grey[0], grey[2], atol=1e-6)
