"""Distortion, fringes, dark corners, zoom and skew against independent formulas: ramps show where pixels came from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from restore.degradations import degradation
from restore.degradations.sample import child_seed, draw_uniform
from restore.degradations.sample import generator as seeded

H, W = 60, 80
RADIUS = np.hypot(H, W) / 2  # of a corner, pixels


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramps() -> Tensor:
    """Channels: the column, the row, the column again, in pixels."""
    column = torch.arange(W, dtype=torch.float32).expand(H, W)
    row = torch.arange(H, dtype=torch.float32)[:, None].expand(H, W)
    return torch.stack([column, row, column])[None].clone()


def centred() -> tuple[np.ndarray, np.ndarray]:
    """Places of the pixels, the centre 0 and the corners at radius 1."""
    u = (np.arange(W) - (W - 1) / 2) / RADIUS
    v = (np.arange(H) - (H - 1) / 2) / RADIUS
    return np.broadcast_to(u, (H, W)), np.broadcast_to(v[:, None], (H, W))


def shown(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From which column and row each pixel came, by channel."""
    y = degradation(text)(ramps(), generator=generator(1))[0][0].numpy()
    return y[0], y[1], y[2]


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x > 0) & (x < W - 1) & (y > 0) & (y < H - 1)


@pytest.mark.parametrize(
    "k", [(0.2, 0.0, 0.0, 0.0), (-0.1, 0.05, 0.0, 0.0), (0.05, 0.0, 0.02, 0.0), (0.1, 0.02, 0.01, -0.03)]
)
def test_distortion_is_opencvs_brown_conrady(k: tuple[float, float, float, float]) -> None:
    k1, k2, p1, p2 = k
    u, v = centred()
    points = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 1, 3)
    camera = np.array([[RADIUS, 0, (W - 1) / 2], [0, RADIUS, (H - 1) / 2], [0, 0, 1]])
    there, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera, np.array(k))
    x, y = there.reshape(H, W, 2)[..., 0], there.reshape(H, W, 2)[..., 1]
    columns, rows, _ = shown(f"distortion:k1={k1},k2={k2},p1={p1},p2={p2}")
    seen = inside(x, y)
    assert seen.mean() > 0.6
    assert np.abs(columns - x)[seen].max() < 1e-2 and np.abs(rows - y)[seen].max() < 1e-2


def test_fringes_enlarge_red_and_blue_about_the_centre() -> None:
    red, green, blue = shown("chromatic-aberration:red=0.02,blue=-0.01")
    u, v = centred()
    assert np.abs(green - (v * RADIUS + (H - 1) / 2)).max() < 1e-4
    for made, extra in ((red, 0.02), (blue, -0.01)):
        x = u * RADIUS / (1 + extra) + (W - 1) / 2
        seen = (x > 0) & (x < W - 1)
        assert np.abs(made - x)[seen].max() < 1e-2
    grey = ramps()[:, :1]
    mixed = degradation("chromatic-aberration:red=0.02,blue=-0.01")(grey, generator=generator(1))[0][
        0, 0
    ].numpy()
    whole = ramps()[0, 0].numpy()
    wanted = whole + 0.299 * (red - whole) + 0.114 * (blue - whole)
    assert np.abs(mixed - wanted).max() < 1e-3


def test_corners_lose_the_light_that_is_said() -> None:
    flat = torch.full((1, 3, H, W), 0.7)
    linear = ((0.7 + 0.055) / 1.055) ** 2.4
    u, v = centred()
    r2 = u**2 + v**2
    for kind, law in (
        ("polynomial", lambda f: 1 - f * r2),
        ("cos4", lambda f: 1 / (1 + (1 / np.sqrt(1 - f) - 1) * r2) ** 2),
    ):
        y = (
            degradation(f"vignetting:falloff=0.6,kind={kind}")(flat, generator=generator())[0][0, 1]
            .double()
            .numpy()
        )
        light = np.where(y <= 0.04045, y / 12.92, ((y + 0.055) / 1.055) ** 2.4) / linear
        # Both laws lose the share at a corner; pixel centres of corners lie a little inside of it.
        assert light == pytest.approx(law(0.6), abs=2e-5)
        assert light[0, 0] == pytest.approx(0.4, abs=0.02)
    encoded = degradation("vignetting:falloff=0.6,space=srgb")(flat, generator=generator())[0][0, 0].numpy()
    assert encoded == pytest.approx(0.7 * (1 - 0.6 * r2), abs=1e-5)


def test_zoom_blur_averages_enlargements_about_the_centre() -> None:
    amount = 0.6
    u, _ = centred()
    near = np.abs(u) < 0.5  # what is seen there comes from inside of the picture at every enlargement
    powers = torch.from_numpy(np.stack([u, u**2, u**3])).float()[None]
    made = degradation(f"zoom-blur:amount={amount}")(powers, generator=generator())[0][0].numpy()
    # The mean of f^-n for f from (1 + a)^-1/2 to (1 + a)^1/2, each as likely as its logarithm.
    for n, plane in enumerate(made, 1):
        mean = 2 * np.sinh(n * np.log(1 + amount) / 2) / (n * np.log(1 + amount))
        assert plane[near] == pytest.approx((mean * u**n)[near], abs=2e-3)


def test_rolling_shutter_moves_each_row_by_itself() -> None:
    columns, rows, _ = shown("rolling-shutter:shear=8")
    assert np.abs(rows - np.arange(H)[:, None]).max() < 1e-3
    move = np.arange(W) - columns
    place = (np.arange(H) + 0.5) / H
    for row in range(H):
        assert move[row, 8:-8] == pytest.approx(8 * (place[row] - 0.5), abs=1e-3)
    params = degradation("rolling-shutter:shear=0,wobble=3,waves=2").sample(
        (1, 3, H, W), generator=generator(1)
    )
    y = degradation("rolling-shutter:shear=0,wobble=3,waves=2").apply(ramps(), params)[0, 0].numpy()
    phase = float(draw_uniform(1, 0, 1, seeded(child_seed(int(params.seeds[0]), "phase"))))
    wave = 3 * np.sin(2 * np.pi * (2 * place + phase))
    assert (np.arange(W) - y)[:, W // 2] == pytest.approx(wave, abs=0.2)
