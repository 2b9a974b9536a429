"""Point spread functions: what one bright pixel becomes.

Each is a float64 tensor with odd sides, non-negative (but for the sinc), summing to 1, its centroid on the
middle pixel (a blur must not move the picture). The convention is that of true convolution:
``psf[r + dy, r + dx]`` is the light that the source pixel sends to the pixel ``dy`` rows below and ``dx`` columns
to the right. ``conv2d`` correlates, so it needs the flipped one; :func:`restore.degradations.blur.convolve` takes
care of that.
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.errors import UsageError

# Boracchi & Foi 2012, as in DeblurGAN: samples along the path, its length in pixels, and how it shakes.
_STEPS = 2000
_LENGTH = 60.0
_JITTER = 0.005
# A thinner ridge falls between the pixels and breaks up.
_THINNEST = 0.3


def gaussian_line(sigma: float, *, radius: int | None = None) -> Tensor:
    """A sampled Gaussian of ``2 * radius + 1`` taps, float64; radius 4 sigma unless given (as scipy's)."""
    r = int(4 * sigma + 0.5) if radius is None else radius
    t = torch.arange(-r, r + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (t / sigma) ** 2) if sigma > 0 else (t == 0).to(t)
    return weights / weights.sum()


def gaussian_psf(sigma: float, sigma2: float | None = None, angle: float = 0.0) -> Tensor:
    """A Gaussian, cut at 4 sigma.

    Args:
        sigma: standard deviation in pixels along ``angle``; 0 with ``sigma2`` None: a single pixel.
        sigma2: standard deviation across; None: the same. The smaller one is at least 0.3 px.
        angle: degrees from the x axis, counter-clockwise as seen.
    """
    if sigma2 is None or sigma2 == sigma:
        line = gaussian_line(sigma)
        return line[:, None] * line
    along, across = max(sigma, _THINNEST), max(sigma2, _THINNEST)
    r = int(4 * max(along, across) + 0.5)
    y, x = torch.meshgrid(*[torch.arange(-r, r + 1, dtype=torch.float64)] * 2, indexing="ij")
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    weights = torch.exp(-0.5 * (((x * c - y * s) / along) ** 2 + ((x * s + y * c) / across) ** 2))
    return weights / weights.sum()


def shaped_psf(
    size: int,
    sigma: float,
    sigma2: float | None = None,
    angle: float = 0.0,
    *,
    kind: str = "gaussian",
    beta: float = 1.0,
    shift: float = 0.0,
) -> Tensor:
    """The kernels of the real-world pipelines (Wang et al. 2021), with q = d' S^-1 d for the offset d.

    Args:
        size: side in pixels, odd.
        sigma: standard deviation in pixels along ``angle``, of the Gaussian that S belongs to.
        sigma2: across; None: the same.
        angle: degrees from the x axis, counter-clockwise as seen.
        kind: "gaussian" exp(-q / 2), "generalised" exp(-q^beta / 2), "plateau" 1 / (1 + q^beta).
        beta: the shape; above 1 flatter with steeper sides, below 1 more pointed with longer tails.
        shift: pixels by which the kernel sits off the middle, to the right and down (only to make up for a
            sampling that is off by as much).
    """
    along, across = max(sigma, 1e-3), max(sigma if sigma2 is None else sigma2, 1e-3)
    y, x = (axis - shift for axis in _offsets(size))
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    q = ((x * c - y * s) / along) ** 2 + ((x * s + y * c) / across) ** 2
    power = q if kind == "gaussian" else q**beta
    weights = 1 / (1 + power) if kind == "plateau" else torch.exp(-0.5 * power)
    return weights / weights.sum()


def sinc_psf(size: int, cutoff: float) -> Tensor:
    """The ideal round low-pass cut to ``size`` (odd): ringing and overshoot, so some weights are negative.

    k(r) = w J1(w r) / (2 pi r), w^2 / (4 pi) in the middle, normalised (Wang et al. 2021).

    Args:
        cutoff: w in radians per pixel, up to pi.
    """
    y, x = _offsets(size)
    r = (x**2 + y**2).sqrt()
    middle = r == 0
    wave = cutoff * torch.special.bessel_j1(cutoff * r) / (2 * math.pi * r.masked_fill(middle, 1.0))
    weights = torch.where(middle, torch.full_like(r, cutoff**2 / (4 * math.pi)), wave)
    return weights / weights.sum()


def disc_psf(radius: float, *, alias: float = 0.0) -> Tensor:
    """A disc, the blur of a round aperture out of focus, then a small Gaussian against aliasing.

    Each pixel gets the area of the disc that it covers, so radii need not be whole; up to 0.5 that is one
    pixel and only the Gaussian acts (ImageNet-C's disc is 0 or 1 per pixel, and one pixel below 1).

    Args:
        radius: pixels; 0: a single pixel.
        alias: sigma of the Gaussian, pixels; 3 taps up to radius 8, else 5, as in ImageNet-C.
    """
    psf = torch.ones((1, 1), dtype=torch.float64)
    if radius > 0:
        reach = math.ceil(radius - 0.5)
        side = 2 * reach + 1
        lines = max(512 // side, 16)  # horizontal lines per pixel; along each, the covered part is exact
        y = (torch.arange(side * lines, dtype=torch.float64) + 0.5) / lines - side / 2
        chord = (radius**2 - y**2).clamp(min=0).sqrt()[:, None]
        place = torch.arange(-reach, reach + 1, dtype=torch.float64)
        covered = torch.minimum(place + 0.5, chord) - torch.maximum(place - 0.5, -chord)
        psf = covered.clamp(min=0).view(side, lines, side).sum(1)
        psf = psf + psf.flip(0)
        psf = psf + psf.flip(1)
        psf = psf + psf.T
    if alias > 0:
        half = max(1 if radius <= 8 else 2, round(2 * alias))
        line = gaussian_line(alias, radius=half)
        spread = torch.nn.functional.pad(psf, (half,) * 4)
        spread = sum((w * spread.roll(i - half, 0) for i, w in enumerate(line)), torch.zeros(()))
        psf = sum((w * spread.roll(i - half, 1) for i, w in enumerate(line)), torch.zeros(()))
    return psf / psf.sum()


def _offsets(size: int) -> tuple[Tensor, Tensor]:
    """Rows and columns counted from the middle of an odd square."""
    if size < 1 or size % 2 == 0:
        raise UsageError(f"expected an odd size of a psf, got {size}")
    line = torch.arange(size, dtype=torch.float64) - size // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return y, x


def motion_psf(length: float, *, seed: int, exposure: float = 1.0) -> Tensor:
    """Camera shake (Boracchi & Foi 2012): a random path, splatted bilinearly, re-centred on its centroid.

    Args:
        length: length of the whole path in pixels; the same seed gives the same shape at every length.
        seed: what the path is drawn from.
        exposure: the part of the path that the shutter sees, from its start.
    """
    return track_psf(exposed(camera_path(seed), exposure) * (length / _LENGTH))


def exposed(path: np.ndarray, exposure: float) -> np.ndarray:
    """The part of a path that the shutter sees, from its start; at least one place."""
    return path[: max(round(exposure * len(path)), 1)]


def track_psf(places: np.ndarray) -> Tensor:
    """The mean of points at complex ``places`` (x + iy, pixels), splatted bilinearly, re-centred on its centroid."""
    seen = places - places.mean()
    furthest = max(np.abs(seen.real).max(), np.abs(seen.imag).max())
    if furthest == 0:
        return torch.ones((1, 1), dtype=torch.float64)
    r = math.floor(furthest) + 1
    side = 2 * r + 1
    column, row = np.floor(seen.real), np.floor(seen.imag)
    fx, fy = seen.real - column, seen.imag - row
    corner = ((row + r) * side + (column + r)).astype(np.int64)
    psf = np.zeros(side * side)
    for shift, weight in (
        (0, (1 - fy) * (1 - fx)),
        (1, (1 - fy) * fx),
        (side, fy * (1 - fx)),
        (side + 1, fy * fx),
    ):
        psf += np.bincount(corner + shift, weights=weight, minlength=side * side)[: side * side]
    return torch.from_numpy((psf / psf.sum()).reshape(side, side))


@lru_cache(maxsize=128)
def camera_path(seed: int) -> np.ndarray:
    """2000 complex positions (x + iy, pixels) along a path of 60 px: inertia, tremor, a pull back, jolts."""
    g = draw.generator(draw.child_seed(seed, "camera path"))
    pull, tremor, jolt, direction = draw.draw_uniform(4, 0, 1, g).tolist()
    pull, tremor, jolt = 0.7 * pull, 10 * tremor, 0.2 * jolt
    shakes = torch.view_as_complex(draw.draw_normal(2 * _STEPS, g).view(_STEPS, 2)).tolist()
    chances, turns = draw.draw_uniform(2 * _STEPS, 0, 1, g).view(2, _STEPS).tolist()
    step = _LENGTH / (_STEPS - 1)
    place, speed = 0j, step * cmath.exp(2j * math.pi * direction)
    path = [place]
    for n, chance, turn in zip(shakes[1:], chances[1:], turns[1:], strict=True):
        if chance < jolt * _JITTER:
            speed += 2 * speed * cmath.exp(1j * (math.pi + turn - 0.5))
        speed += _JITTER * (tremor * n - pull * place) * step
        speed *= step / abs(speed)
        place += speed
        path.append(place)
    return np.array(path)
