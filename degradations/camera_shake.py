"""Camera shake that also turns the camera: a blur that differs from place to place.

The camera moves along a path and rolls about its axis on the way, so that a place at p from the centre runs along
d_t + (R(theta_t) - 1) p (Whyte, Sivic, Zisserman & Ponce 2010, with roll alone). Its psf is that track, re-centred so
that the picture stays where it is. PSFs are made for a grid of places; in between the pictures blurred by the nearest
ones are mixed bilinearly. Linear, with an exact adjoint.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from restore.convolve import convolve, pad
from restore.degradations import sample as draw
from restore.degradations.base import Degradation
from restore.degradations.blur import BORDERS
from restore.degradations.knob import Knob
from restore.degradations.operators import Operator, Shape
from restore.degradations.params import Params
from restore.degradations.psf import camera_path, exposed, track_psf
from restore.errors import RestoreError

_CELLS = 4  # of the grid along each side
_LENGTH = 60.0  # of a camera path, pixels


def camera_shake(
    x: Tensor, *, seed: Tensor, length: Tensor, roll: Tensor, exposure: Tensor, border: list[str]
) -> Tensor:
    """Shake with roll over ``B x C x H x W``, its path and its turning made from the sample's seed.

    Args:
        length: B lengths of the path, pixels.
        roll: B angles between the furthest turns of the camera, degrees.
        exposure: B parts of the path that the shutter sees, from its start.
        border: B names of what lies beyond the edge.
    """
    rows = zip(
        x.split(1), seed.tolist(), length.tolist(), roll.tolist(), exposure.tolist(), border, strict=True
    )
    return torch.cat(
        [
            blur_by_grid(part, psf_grid(*part.shape[-2:], length=n, roll=r, seed=s, exposure=e), border=edge)
            for part, s, n, r, e, edge in rows
        ]
    )


def psf_grid(
    height: int, width: int, *, length: float, roll: float, seed: int, exposure: float = 1.0
) -> list[list[Tensor]]:
    """Point spread functions at the places of :func:`grid_lines`, row by row; knobs as for :func:`camera_shake`."""
    path = exposed(camera_path(seed), exposure) * (length / _LENGTH)
    turning = camera_path(draw.child_seed(seed, "roll")).real
    spread = float(np.ptp(turning))
    turning = exposed((turning - turning.mean()) / spread if spread else turning * 0, exposure)
    turn = np.exp(1j * np.radians(roll) * turning) - 1
    y, x = (grid_lines(n) - (n - 1) / 2 for n in (height, width))
    return [[track_psf(path + turn * complex(column, row)) for column in x] for row in y]


def grid_lines(length: int) -> np.ndarray:
    """Places of the grid along a side, from the first to the last pixel."""
    return np.linspace(0, length - 1, min(_CELLS, length - 1) + 1)


def blur_by_grid(x: Tensor, psfs: list[list[Tensor]], *, border: str = "reflect") -> Tensor:
    """``1 x C x H x W`` blurred by each psf of a grid, mixed bilinearly."""
    h, w = x.shape[-2:]
    reach = max(psf.shape[0] // 2 for row in psfs for psf in row)
    padded = pad(x, reach, reach, border=border)
    total = torch.zeros_like(x)
    for (top, bottom, down), row in zip(_hats(h), psfs, strict=True):
        for (left, right, across), psf in zip(_hats(w), row, strict=True):
            r = psf.shape[0] // 2
            seen = padded[..., top + reach - r : bottom + reach + r, left + reach - r : right + reach + r]
            # Only where the whole psf lies inside is kept, so that no border of this piece is seen.
            made = convolve(seen, psf, border="wrap")[..., r : r + bottom - top, r : r + right - left]
            weight = (down[:, None] * across).to(x)
            total = total + torch.nn.functional.pad(made * weight, (left, w - right, top, h - bottom))
    return total


def shake_operator(params: Params, shape: Shape) -> Operator:
    """The linear operator of recorded parameters on pictures (C, H, W).

    Raises:
        RestoreError: parameters of something else.
    """
    if params.name != "camera-shake":
        raise RestoreError(f"expected parameters of camera-shake, got {params.name!r}")
    v = params.values
    columns = (params.seeds, v["length"], v["roll"], v["exposure"])
    grids = [
        psf_grid(*shape[-2:], length=n, roll=r, seed=int(s), exposure=e)
        for s, n, r, e in zip(*(c.tolist() for c in columns), strict=True)
    ]

    def forward(x: Tensor) -> Tensor:
        used = grids if len(grids) > 1 else grids * len(x)
        edges = v["border"] if len(grids) > 1 else v["border"] * len(x)
        rows = zip(x.split(1), used, edges, strict=True)
        return torch.cat([blur_by_grid(part, grid, border=edge) for part, grid, edge in rows])

    def adjoint(y: Tensor) -> Tensor:
        # Of a linear map the gradient of <A x, y> is A' y, at any x.
        with torch.inference_mode(False), torch.enable_grad():
            given = y.detach().clone()
            x = torch.zeros_like(given).requires_grad_()
            return torch.autograd.grad(forward(x), x, given)[0]

    return Operator("camera-shake", tuple(shape), tuple(shape), forward, adjoint, {"psfs": grids})


def _hats(length: int) -> list[tuple[int, int, Tensor]]:
    """Per line of the grid the first pixel it weighs in, the one after the last, and its weights there (float64)."""
    lines = grid_lines(length)
    place = np.arange(length)
    made = []
    for line in lines:
        step = lines[1] - lines[0] if len(lines) > 1 else 1.0
        weight = np.clip(1 - np.abs(place - line) / step, 0, None)
        seen = np.flatnonzero(weight > 0)
        first, last = int(seen[0]), int(seen[-1]) + 1
        made.append((first, last, torch.from_numpy(weight[first:last])))
    return made


CAMERA_SHAKE = Degradation(
    "camera-shake",
    camera_shake,
    {
        # Our own table: half of the path of "motion", the rest of the blur from turning.
        "length": Knob(
            "length of the path, pixels",
            span=(2.0, 40.0),
            legal=(0.0, 2000.0),
            levels={32: (2, 3, 4, 5, 6), 64: (3, 4, 5, 6, 8), 224: (8, 14, 22, 30, 40)},
            is_length=True,
        ),
        "roll": Knob(
            "angle between the furthest turns of the camera, degrees",
            span=(0.5, 8.0),
            legal=(0.0, 90.0),
            levels={224: (2, 3.5, 5, 7, 9)},
        ),
        "exposure": Knob("the part of the path that is seen", legal=(0.0, 1.0), default=1.0),
        "border": Knob("what lies beyond the edge", choices=BORDERS, default="reflect"),
    },
)
