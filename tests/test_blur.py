"""Point spread functions and what convolves with them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.ndimage as nd
import torch
from skimage import data
from torch import Tensor

from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.degradations.blur import convolve, disc_psf, gaussian_psf, motion_psf, pad, psfs
from restore.degradations.camera_shake import psf_grid
from restore.degradations.psf import camera_path
from restore.errors import RestoreError, UsageError
from restore.image import array_to_tensor

PSFS = {
    **{f"gaussian {s}": gaussian_psf(s) for s in (0.0, 0.05, 0.4, 1.0, 6.0)},
    **{f"gaussian {a} degrees": gaussian_psf(4.0, 1.0, a) for a in (0, 30, 45, 135)},
    **{f"disc {r}": disc_psf(r, alias=a) for r, a in ((0.0, 0), (0.3, 0.4), (1, 0.2), (10, 0.5), (40, 2))},
    **{f"motion {n}": motion_psf(n, seed=s) for s, n in enumerate((0.0, 0.5, 4.0, 20.0, 60.0, 300.0))},
    "motion, short exposure": motion_psf(60.0, seed=3, exposure=0.01),
    "motion, no exposure": motion_psf(60.0, seed=3, exposure=0.0),
}  # fmt: skip


def spread(psf: Tensor) -> float:
    """Root of the mean squared distance from the middle."""
    r = torch.arange(len(psf), dtype=torch.float64) - len(psf) // 2
    return float((psf * (r[:, None] ** 2 + r**2)).sum().sqrt())


def photograph() -> Tensor:
    return array_to_tensor(data.astronaut()[:150, 150:280])


@pytest.mark.parametrize("name", PSFS)
def test_psf_is_light_that_stays_in_place(name: str) -> None:
    psf = PSFS[name]
    assert psf.dtype == torch.float64 and psf.shape[0] == psf.shape[1] and psf.shape[0] % 2 == 1
    assert float(psf.min()) >= 0 and float(psf.sum()) == pytest.approx(1, abs=1e-12)
    r = torch.arange(len(psf), dtype=torch.float64) - len(psf) // 2
    assert abs(float((psf.sum(1) * r).sum())) < 1e-9 and abs(float((psf.sum(0) * r).sum())) < 1e-9


def test_gaussian_is_scipys() -> None:
    photo = photograph()
    y, _ = degradation("blur:sigma=2.3")(photo, generator=torch.Generator())
    theirs = nd.gaussian_filter(photo[0].numpy().astype(np.float64), (0, 2.3, 2.3), mode="mirror", truncate=4)
    assert np.abs(y[0].numpy() - theirs).max() < 2e-6


def test_anisotropic_gaussian_lies_along_its_angle() -> None:
    psf = gaussian_psf(5.0, 1.0, 30)
    r = torch.arange(len(psf), dtype=torch.float64) - len(psf) // 2
    xx, yy = (psf * r**2).sum(), (psf * r[:, None] ** 2).sum()
    xy = (psf * r * -r[:, None]).sum()  # y upwards
    angle = 0.5 * torch.atan2(2 * xy, xx - yy).rad2deg()
    assert float(angle) == pytest.approx(30, abs=0.5)
    assert float(xx + yy) == pytest.approx(26, rel=0.02)


def test_disc_covers_its_area_and_grows_smoothly() -> None:
    for radius in (0.8, 1.0, 2.5, 6.3, 40.0):
        psf = disc_psf(radius)
        assert float(1 / psf.max()) == pytest.approx(np.pi * radius**2, rel=2e-3)
        assert torch.equal(psf, psf.T) and torch.equal(psf, psf.flip(0))
    spreads = [spread(disc_psf(r)) for r in np.arange(0.5, 6, 0.05)]
    assert all(0 < b - a < 0.3 for a, b in pairwise(spreads))
    assert spread(disc_psf(10.0)) == pytest.approx(10 / 2**0.5, rel=0.01)


def test_disc_is_near_imagenet_cs() -> None:
    r = np.arange(-8, 9)
    hard = torch.tensor((r[:, None] ** 2 + r**2 <= 36).astype(float))
    ours, theirs = convolve(photograph(), disc_psf(6.0)), convolve(photograph(), hard / hard.sum())
    assert float(((ours - theirs) ** 2).mean()) < 1e-5  # 50 dB


def test_motion_follows_seed_length_and_exposure() -> None:
    assert torch.equal(motion_psf(30.0, seed=5), motion_psf(30.0, seed=5))
    assert motion_psf(30.0, seed=5).shape != motion_psf(30.0, seed=6).shape or not torch.equal(
        motion_psf(30.0, seed=5), motion_psf(30.0, seed=6)
    )
    steps = np.abs(np.diff(camera_path(5)))
    assert len(steps) == 1999 and steps.sum() == pytest.approx(60) and np.allclose(steps, steps[0])
    lengths = [spread(motion_psf(n, seed=5)) for n in (5.0, 10.0, 40.0, 160.0)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[3] == pytest.approx(4 * lengths[2], rel=0.05)
    exposures = [spread(motion_psf(60.0, seed=7, exposure=e)) for e in (0.01, 0.1, 0.5)]
    assert exposures[0] < exposures[1] < exposures[2]


def test_convolution_is_true_convolution_with_either_border() -> None:
    x = torch.rand(2, 3, 20, 26)
    psf = torch.rand(7, 5, dtype=torch.float64)
    psf = psf / psf.sum()
    for border, mode in (("reflect", "mirror"), ("wrap", "wrap")):
        theirs = nd.convolve(x.numpy().astype(np.float64), psf[None, None].numpy(), mode=mode)
        assert np.abs(convolve(x, psf, border=border).numpy() - theirs).max() < 1e-6
    point = torch.zeros((1, 1, 9, 9))
    point[..., 4, 4] = 1
    assert torch.allclose(convolve(point, psf)[0, 0, 1:8, 2:7].double(), psf, atol=1e-7)


def test_padding_works_beyond_the_picture() -> None:
    x = torch.rand(1, 1, 3, 4)
    for border, mode in (("reflect", "reflect"), ("wrap", "wrap")):
        theirs = np.pad(x[0, 0].numpy(), ((11, 11), (7, 7)), mode=mode)
        assert np.array_equal(pad(x, 11, 7, border=border)[0, 0].numpy(), theirs)
    y, _ = degradation("motion:length=200")(torch.rand(1, 3, 4, 1), generator=torch.Generator())
    assert bool(torch.isfinite(y).all())


def test_zero_strength_is_the_identity_within_a_batch() -> None:
    x = torch.rand(2, 3, 12, 12)
    for text in ("blur:sigma=0", "defocus:radius=0", "motion:length=0", "blur:sigma=0,border=wrap"):
        y, _ = degradation(text)(x, generator=torch.Generator())
        assert torch.equal(y, x)


def test_recorded_parameters_give_the_psfs() -> None:
    x = photograph().repeat(2, 1, 1, 1)
    for name in ("blur:sigma2=1..3,angle=0..180", "defocus", "motion"):
        y, params = degradation(name)(x, generator=torch.Generator().manual_seed(4))
        for i, psf in enumerate(psfs(params)):
            assert torch.equal(convolve(x[i : i + 1], psf), y[i : i + 1])
    with pytest.raises(RestoreError, match="jpeg"):
        psfs(degradation("jpeg").sample((1, 3, 8, 8), generator=torch.Generator()))


def test_gradient_and_refusals() -> None:
    x = torch.rand((1, 1, 5, 6), dtype=torch.float64, requires_grad=True)
    psf = motion_psf(6.0, seed=1)
    assert torch.autograd.gradcheck(lambda v: convolve(v, psf), (x,))
    with pytest.raises(UsageError, match="odd sides"):
        convolve(x, torch.ones(2, 3))
    with pytest.raises(UsageError, match="border"):
        pad(x, 1, 1, border="mirror")


def test_shake_with_roll_differs_over_the_picture_and_is_motion_without() -> None:
    x = photograph()
    for border in ("reflect", "wrap"):
        plain, turned = (f"length=20,border={border}", f"length=20,border={border},roll=0")
        params = degradation(f"motion:{plain}").sample(tuple(x.shape), generator=torch.Generator())
        shaken = degradation(f"camera-shake:{turned}").sample(tuple(x.shape), generator=torch.Generator())
        shaken.seeds[:] = params.seeds
        same = degradation("motion").apply(x, params)
        assert torch.allclose(degradation("camera-shake").apply(x, shaken), same, atol=1e-5)
    grid = psf_grid(201, 301, length=0.0, roll=10.0, seed=4)
    assert len(grid) == len(grid[0]) == 5 and spread(grid[2][2]) == pytest.approx(0, abs=1e-6)
    # Without a path every track is a piece of an arc about the centre, as long as its radius: farther, wider.
    assert spread(grid[2][4]) == pytest.approx(2 * spread(grid[2][3]), rel=0.03)
    r = torch.arange(len(grid[2][4]), dtype=torch.float64) - len(grid[2][4]) // 2
    right = grid[2][4]
    assert float((right * r[:, None] ** 2).sum()) > 50 * float((right * r**2).sum()), (
        "to the right it moves up and down"
    )
    for psf in (p for row in grid for p in row):
        assert float(psf.sum()) == pytest.approx(1, abs=1e-12) and float(psf.min()) >= 0
    flat = torch.full((1, 3, 50, 70), 0.3)
    assert torch.allclose(
        degradation("camera-shake")(flat, severity=5, generator=torch.Generator())[0], flat, atol=1e-5
    )


def test_severities_are_the_published_tables() -> None:
    """ImageNet-C's own constants (Hendrycks & Dietterich 2019), for 224 pixels."""
    x = torch.zeros(1, 3, 224, 224)
    published = {
        "defocus": {"radius": (3, 4, 6, 8, 10), "alias": (0.1, 0.5, 0.5, 0.5, 0.5)},
        "blur": {"sigma": (1, 2, 3, 4, 6)},
    }
    for name, knobs in published.items():
        for severity in range(1, 6):
            g = torch.Generator().manual_seed(0)
            params = degradation(name).sample(tuple(x.shape), severity=severity, generator=g)
            drawn = {k: float(params.values[k][0]) for k in knobs}
            assert drawn == pytest.approx({k: row[severity - 1] for k, row in knobs.items()}), (
                name,
                severity,
            )


def test_jolts_turn_a_path_round_as_often_as_they_should() -> None:
    """A jolt is about twice the speed, backwards; each of the 2000 steps has 0.005 times its path's share of 0.2."""
    reversals, expected = 0, 0.0
    for seed in range(60):
        path = camera_path(seed)
        speed = np.diff(path)
        assert np.abs(speed) == pytest.approx(60 / 1999, rel=1e-6)
        reversals += int((np.real(speed[1:] * np.conj(speed[:-1])) < 0).sum())
        drawn = draw.draw_uniform(4, 0, 1, draw.generator(draw.child_seed(seed, "camera path")))
        expected += 0.2 * float(drawn[2]) * 0.005 * 1999
    assert reversals == pytest.approx(expected, abs=3 * expected**0.5)
