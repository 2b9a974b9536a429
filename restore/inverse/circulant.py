"""Circular blurs, sampled or not: (A'A + alpha)^-1 in closed form, and as a preconditioner for what is nearly one."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from restore.convolve import pad
from restore.degradations.operators import Operator, fold
from restore.errors import UsageError

# (b, alpha) -> (A'A + alpha)^-1 b, with alpha as B x 1 x 1 x 1.
Solve = Callable[[Tensor, Tensor], Tensor]

# How far a picture fades into its mirror image, pixels; rounded up to the sampling.
_LAP = 16


def closed_form(operator: Operator, scale: int, *, sides: tuple[int, int] | None = None) -> Solve:
    """For y = S (k * x), circular on pictures of ``sides``; k and the place of the samples are read off the operator.

    Every pixel seen: one division in the Fourier domain. One of ``scale`` along each side: the matrix inversion lemma
    (Zhao et al. 2016; Zhang, Van Gool & Timofte 2020, eq. 8).

    Args:
        sides: height and width of the pictures; None: the operator's own.

    Raises:
        UsageError: sides that are no multiples of ``scale``.
    """
    rows, columns = sides or (operator.input_shape[-2], operator.input_shape[-1])
    if rows % scale or columns % scale:
        raise UsageError(f"expected sides that are multiples of {scale}, got {rows} x {columns}")
    spectrum = _middle_row(operator, scale, rows, columns)
    power = spectrum.abs().square()
    if scale == 1:
        half = power[..., : columns // 2 + 1]

        def plain(b: Tensor, alpha: Tensor) -> Tensor:
            return torch.fft.irfft2(torch.fft.rfft2(b) / (half.to(b) + alpha), s=(rows, columns))

        return plain
    folded = _aliased(power, scale)

    def decimated(b: Tensor, alpha: Tensor) -> Tensor:
        f = torch.fft.fft2(b)
        k = spectrum.to(f.device, f.dtype)
        seen = _aliased(k * f, scale) / (folded.to(b) + alpha)
        return torch.fft.ifft2((f - k.conj() * seen.repeat(1, 1, scale, scale)) / alpha).real

    return decimated


def lapped_form(operator: Operator, scale: int) -> Solve:
    """The closed form on pictures that fade into their mirror images, folded back: E' (A'A + alpha)^-1 E, E'E = 1.

    Symmetric and positive, exact far from the borders, and near the operator with mirrored borders: the
    preconditioner for it.
    """
    from scipy.fft import next_fast_len

    height, width = operator.input_shape[-2:]
    lap = -(-_LAP // scale) * scale
    framed = [n + 2 * lap for n in (height, width)]
    sides = [scale * int(next_fast_len(-(-n // scale), real=True)) for n in framed]
    solve = closed_form(operator, scale, sides=(sides[0], sides[1]))
    weight = (_fade(height, lap)[:, None] * _fade(width, lap)).float()
    more = (0, sides[1] - framed[1], 0, sides[0] - framed[0])

    def near(b: Tensor, alpha: Tensor) -> Tensor:
        w = weight.to(b)
        x = solve(torch.nn.functional.pad(pad(b, lap, lap) * w, more), alpha)
        return fold(fold(x[..., : framed[0], : framed[1]] * w, -2, lap), -1, lap)

    return near


def _fade(length: int, lap: int) -> Tensor:
    """Weights along an axis framed by ``lap`` mirrored samples; the squares over all copies of a sample sum to 1."""
    place = torch.arange(-lap, length + lap, dtype=torch.float64)

    def rise(t: Tensor) -> Tensor:
        return torch.sin(math.pi / 4 * (1 + torch.sin(math.pi / 2 * (t / lap).clamp(-1, 1))))

    w = rise(place) * rise(length - 1 - place)
    copies = fold(w.square()[None], -1, lap)
    return w / pad(copies[None, None], 0, lap)[0, 0, 0].sqrt()


def _middle_row(operator: Operator, scale: int, rows: int, columns: int) -> Tensor:
    """The spectrum ``1 or B x 1 x rows x columns`` (complex128) of the kernel whose samples the operator takes."""
    top, left = (n // 2 for n in operator.output_shape[-2:])
    spot = torch.zeros((_kernels(operator), *operator.output_shape), dtype=torch.float64)
    spot[:, 0, top, left] = 1
    row = operator.transpose(spot)[:, :1]
    # Larger sides: zeros behind; what the roll then brings to the front is the kernel around its origin.
    row = torch.nn.functional.pad(row, (0, columns - row.shape[-1], 0, rows - row.shape[-2]))
    return torch.fft.fft2(row.roll((-scale * top, -scale * left), (-2, -1))).conj()


def _kernels(operator: Operator) -> int:
    """How many different kernels a batch has."""
    inner = [_kernels(step) for step in operator.parts.get("steps", [])]
    return max([len(operator.parts.get("psf", [])), *inner, 1])


def _aliased(f: Tensor, scale: int) -> Tensor:
    """The mean over the frequencies that sampling makes one of."""
    rows, columns = f.shape[-2] // scale, f.shape[-1] // scale
    return f.reshape(*f.shape[:-2], scale, rows, scale, columns).mean((-4, -2))
