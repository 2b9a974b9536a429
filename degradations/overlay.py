"""What lies over a picture: layers of an opacity and a colour, drawn from a seed, and how they are painted.

A layer function ``layers(seed, height, width, **knobs)`` gives a list of layers, so that what is painted and the mask
that says where are one thing. All shapes keep their place when a knob changes: a stronger one adds, it does not move.
Lines and spots are drawn by OpenCV, finer than the pixels where the picture is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from restore.degradations.fields import uniforms
from restore.image import GREY

# Opacity H x W in [0, 1]; colour as 3 values, or 3 x H x W.
Layer = tuple[Tensor, Tensor]
Layers = Callable[..., list[Layer]]

# Short side up to which shapes are drawn finer than the pixels, and how much finer at most.
_FINE, _FINEST = 1024, 4
_SHIFT = 4  # bits below the pixel in OpenCV's coordinates


def paint(x: Tensor, *, layers: Layers, seed: Tensor, **values: Tensor | list[str]) -> Tensor:
    """y = (1 - o) x + o c for every layer in order; each sample has its own."""
    plain = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in values.items()}
    made = []
    for i, (part, s) in enumerate(zip(x.split(1), seed.tolist(), strict=True)):
        y = part
        for opacity, colour in layers(s, *x.shape[-2:], **{k: v[i] for k, v in plain.items()}):
            y = over(y, opacity, colour)
        made.append(y)
    y = torch.cat(made)
    return y.clone() if y.data_ptr() == x.data_ptr() else y


def over(x: Tensor, opacity: Tensor, colour: Tensor) -> Tensor:
    """One layer over ``1 x C x H x W``; a grey picture gets the colour's grey."""
    c = colour.to(x).view(3, *(colour.shape[1:] or (1, 1)))
    if x.shape[1] == 1:
        c = (c * c.new_tensor(GREY).view(3, 1, 1)).sum(0, keepdim=True)
    o = opacity.to(x)
    return x + o * (c - x)


def covered(layers: Sequence[Layer], height: int, width: int) -> Tensor:
    """Where the layers lie, ``1 x 1 x H x W``: what part of the picture's own light they take away."""
    left = torch.ones((1, 1, height, width))
    for opacity, _ in layers:
        left = left * (1 - opacity)
    return 1 - left


def grey_colour(value: float) -> Tensor:
    """The same in all channels."""
    return torch.full((3,), value)


def rows_of(seed: int, count: int, columns: int) -> np.ndarray:
    """``count x columns`` values of U(0, 1); more rows begin with the same ones."""
    return uniforms(seed, count * columns).view(count, columns).numpy()


def poisson_count(u: float, rate: float) -> int:
    """The Poisson number at the quantile ``u``: for one ``u`` it never falls as the rate grows."""
    if rate > 500:  # the smallest term would underflow
        return max(round(rate + math.sqrt(2 * rate) * float(torch.erfinv(torch.tensor(2 * u - 1)))), 0)
    number, term = 0, math.exp(-rate)
    total = term
    while total < u and number < 2000:
        number += 1
        term *= rate / number
        total += term
    return number


class Canvas:
    """A plane on which lines and spots are drawn with soft edges; the result is an opacity."""

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)
        self.fine = max(min(_FINE // max(min(height, width), 1), _FINEST), 1)
        self.plane = np.zeros((height * self.fine, width * self.fine), np.uint8)

    def line(self, points: np.ndarray, *, width: float, opacity: np.ndarray | float) -> None:
        """A path through ``points`` (N x 2, x and y in pixels), ``width`` pixels wide; opacity per point."""
        thick = width * self.fine
        strength = np.broadcast_to(np.asarray(opacity, np.float64), len(points)) * min(thick, 1.0)
        places = self._places(points)
        for start, end, o in zip(places, places[1:], strength, strict=False):
            colour = round(255 * float(min(max(o, 0.0), 1.0)))
            cv2.line(
                self.plane,
                (int(start[0]), int(start[1])),
                (int(end[0]), int(end[1])),
                colour,
                max(round(thick), 1),
                cv2.LINE_AA,
                _SHIFT,
            )

    def polygon(self, points: np.ndarray, *, opacity: float) -> None:
        """A filled polygon with corners ``points`` (N x 2)."""
        places = self._places(points).astype(np.int32)
        cv2.fillPoly(self.plane, [places], round(255 * min(max(opacity, 0.0), 1.0)), cv2.LINE_AA, _SHIFT)

    def opacity(self, *, soft: float = 0.0) -> Tensor:
        """The plane in [0, 1], ``H x W``; edges blurred by a Gaussian of ``soft`` pixels."""
        plane: np.ndarray = self.plane
        if self.fine > 1:
            plane = cv2.resize(plane, self.size[::-1], interpolation=cv2.INTER_AREA)
        made: np.ndarray = plane.astype(np.float32) / 255
        if soft >= 0.3:
            made = cv2.GaussianBlur(made, (0, 0), soft, borderType=cv2.BORDER_REFLECT)
        return torch.from_numpy(made)

    def _places(self, points: np.ndarray) -> np.ndarray:
        """Pixels (whole numbers are centres) as OpenCV's fixed-point coordinates of the finer plane."""
        fine = (points + 0.5) * self.fine - 0.5
        return np.round(np.clip(fine, -1e6, 1e6) * 2**_SHIFT).astype(np.int64)


def wobbly_line(
    start: np.ndarray, angle: float, length: float, bends: np.ndarray, *, sway: float, points: int = 33
) -> np.ndarray:
    """Points (N x 2) along a line of ``length`` pixels from the middle ``start``, swaying to both sides.

    Args:
        angle: radians, counter-clockwise as seen.
        bends: four values of U(0, 1), which decide the shape.
        sway: the largest part of the length by which it leaves the straight line.
    """
    t = np.linspace(0, 1, points)
    wave = np.zeros_like(t)
    for k, (a, b) in enumerate(bends.reshape(-1, 2), 1):
        wave += (a - 0.5) * np.sin(math.pi * 2 * (k * t * 0.7 + b)) / k
    along, across = (t - 0.5) * length, sway * length * (wave - wave.mean())
    c, s = math.cos(angle), -math.sin(angle)
    return start + np.stack([along * c - across * s, along * s + across * c], 1)
