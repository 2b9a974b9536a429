"""Many small shapes scattered over a plane at once: sparse points filtered with the shape.

The cost depends on the size of the plane and on the number of different shapes, not on how many of each there are.
Planes are ``H x W`` float32 arrays on the CPU, each from a seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch

from restore.degradations import sample as draw


def scattered(
    seed: int, height: int, width: int, *, coverage: float, shapes: Sequence[np.ndarray], fade: float = 0.6
) -> np.ndarray:
    """The sum of shapes at random places, each with a brightness of U(1 - fade, 1).

    Args:
        coverage: share of the plane that all of them would cover, counted each alone; more of it adds shapes and
            moves none.
        shapes: planes with odd sides, the largest value about 1; equally many of each.
    """
    total = np.zeros((height, width), np.float32)
    for number, shape in enumerate(shapes):
        share = coverage / len(shapes) / max(float(shape.sum()), 1e-6)
        # Shapes reach into the picture from outside of it; the frame does not depend on the coverage.
        frame = max(*(n // 2 for n in shape.shape), min(height, width) // 4)
        h, w = height + 2 * frame, width + 2 * frame
        u = uniform_plane(draw.child_seed(seed, "stamp", number), h, w)
        points = np.where(u < share, 1 - fade * (u / max(share, 1e-9)), 0).astype(np.float32)
        total += stamped(points, [shape])[0][frame : frame + height, frame : frame + width]
    # Long filters go through a Fourier transform, whose rounding is no shape.
    total[total < 1e-4] = 0
    return total


def stamped(points: np.ndarray, shapes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Planes with each of the shapes, all of one size, at all points: one by one where they are few, else filtered."""
    height, width = points.shape
    places = np.flatnonzero(points)
    tall, wide = shapes[0].shape
    # In multiples of the time that one stamp takes: a direct filter up to 11 x 11, else a Fourier transform.
    cost = points.size * (1e-4 * tall * wide if max(tall, wide) <= 11 else 0.01)
    if len(places) > cost:
        return [
            cv2.filter2D(points, cv2.CV_32F, s[::-1, ::-1], borderType=cv2.BORDER_CONSTANT) for s in shapes
        ]
    planes = np.zeros((len(shapes), height + tall, width + wide), np.float32)
    stack = np.stack(list(shapes))
    for place, strength in zip(places.tolist(), points.ravel()[places].tolist(), strict=True):
        y, x = divmod(place, width)
        planes[:, y : y + tall, x : x + wide] += strength * stack
    top, left = tall // 2, wide // 2
    return [np.ascontiguousarray(p[top : top + height, left : left + width]) for p in planes]


def uniform_plane(seed: int, height: int, width: int) -> np.ndarray:
    """Independent values of U(0, 1)."""
    words = draw.random_words(seed, height * width).numpy().view(np.uint32)
    return ((words >> 8).astype(np.float32) * np.float32(2**-24)).reshape(height, width)


def normal_plane(seed: int, height: int, width: int) -> np.ndarray:
    """Independent values of N(0, 1)."""
    return draw.normal_fields(torch.tensor([seed]), (height, width))[0].numpy()


def smooth_plane(seed: int, height: int, width: int, *, cells: float, octaves: int = 1) -> np.ndarray:
    """Smooth noise that fills [0, 1], some ``cells`` bumps along the short side, finer ones at half the weight."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = cells * 2**octave / min(height, width)
        rows, columns = (min(math.ceil(n * step) + 2, n + 1) for n in (height, width))
        grid = uniform_plane(draw.child_seed(seed, "smooth", octave), rows, columns)
        total += 0.5**octave * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low) if high > low else np.full_like(total, 0.5)


def line_shape(length: float, width: float, angle: float, *, taper: float = 0.5) -> np.ndarray:
    """A line with soft sides, ``angle`` degrees from the vertical (positive: falling to the right).

    Args:
        length, width: pixels; lines thinner than a pixel are paler.
        taper: share of the line along which its ends fade.
    """
    length, wide = max(length, 1.0), max(width, 1.0)
    reach = math.ceil((length + wide) / 2) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    s, c = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    along, across = np.abs(y * c + x * s), np.abs(x * c - y * s)
    ends = np.clip((length / 2 + 0.5 - along) / max(taper * length / 2, 1.0), 0, 1)
    sides = np.clip(wide / 2 + 0.5 - across, 0, 1)
    return trimmed(ends * sides * min(max(width, 0.05), 1.0))


def disc_shape(radius: float, *, soft: float, ring: float = 0.0, flat: float = 1.0) -> np.ndarray:
    """A disc with an edge ``soft`` pixels wide.

    Args:
        radius: pixels; discs smaller than 0.6 pixels are paler.
        ring: how much paler its middle is than its edge, in [0, 1] (out of focus highlights).
        flat: height over width.
    """
    true, radius = radius, max(radius, 0.6)
    reach = math.ceil(radius + soft / 2) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    rho = np.hypot(x, y / flat)
    inside = np.clip((radius - rho) / max(soft, 1.0) + 0.5, 0, 1)
    middle = 1 - ring * np.clip(1 - rho / radius, 0, 1)
    return trimmed(inside * middle * min(true / 0.6, 1.0) ** 2)


def trimmed(shape: np.ndarray) -> np.ndarray:
    """Without empty rows and columns at its border, the same on both sides, so that its middle stays."""
    for axis in (0, 1):
        full = np.flatnonzero(shape.max(axis=1 - axis) > 0)
        cut = min(int(full[0]), shape.shape[axis] - 1 - int(full[-1])) if len(full) else 0
        shape = shape.take(np.arange(cut, shape.shape[axis] - cut), axis)
    return np.ascontiguousarray(shape, np.float32)
